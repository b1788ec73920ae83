"""Bodies come back as they were, whatever else was kept, has grown, was loaded or cleared."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stillwatch_models.bodies import empty
from stillwatch_models.body_store import BodyStore
from stillwatch_schemas.errors import StateError

WORDS = 70
SLOTS = 40


def make_bodies(share: float, count: int = 50, seed: int = 3) -> np.ndarray:
    """Random bodies of which this share of words is not zero."""
    rng = np.random.default_rng(seed)
    bodies = rng.integers(1, 2**64, (count, WORDS), np.uint64) >> rng.integers(0, 64, (count, WORDS), np.uint64)
    bodies[rng.random(bodies.shape) >= share] = 0
    return bodies


def store_of(bodies: np.ndarray, first: int = 0) -> BodyStore:
    """The bodies, in slots 0, 1, ..."""
    store = BodyStore(bodies.shape[1] - first)
    store.write(np.arange(len(bodies)), bodies, first)
    return store


def read(store: BodyStore, slots: list[int]) -> np.ndarray:
    """Bodies, written over something else."""
    rows = np.full((len(slots), WORDS), 7, np.uint64)
    store.read(np.array(slots, np.intp), rows, 0)
    return rows


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9, 1.0])
def test_what_is_kept_comes_back(share: float) -> None:
    """However full the bodies are."""
    bodies = make_bodies(share)
    assert (read(store_of(bodies), list(range(50))) == bodies).all()


def test_what_stands_before_a_body_is_left_alone() -> None:
    """Rows hold more than their body."""
    rows = make_bodies(0.5)
    store, every = store_of(rows, first=6), list(range(50))
    assert list(store.packed(np.array(every))) == list(store_of(rows[:, 6:].copy()).packed(np.array(every)))
    other = np.full_like(rows, 7)
    store.read(np.arange(50), other, 6)
    assert (other[:, 6:] == rows[:, 6:]).all()
    assert (other[:, :6] == 7).all()


def test_the_form_is_a_bit_a_word_then_the_bytes_that_are_not_zero() -> None:
    """Each kept word with a bit a byte before it; the first of eight in the lowest bit."""
    body = np.zeros((1, 10), np.uint64)
    body[0, [0, 9]] = 1, 0x0203_0000_0000_0400
    assert list(store_of(body).packed(np.array([0]))) == [bytes([0b1, 0b10, 0b1, 1, 0b1100_0010, 4, 3, 2])]


def test_an_empty_body_is_its_marks_alone() -> None:
    """One bit a word, whether zeros were written or nothing ever was."""
    store = store_of(np.zeros((1, WORDS), np.uint64))
    assert list(store.packed(np.array([0, 900]))) == [empty(WORDS)] * 2
    assert len(empty(WORDS)) == 9
    assert not read(store, [0, 900]).any()


@pytest.mark.parametrize("size", [0, 8, 5_000])
def test_what_can_be_no_body_is_refused(size: int) -> None:
    """Compiled code would read or write where it must not."""
    good = empty(WORDS)
    with pytest.raises(StateError, match=f"{min(size, 9)} to {max(size, 9)} bytes"):
        BodyStore(WORDS).load(np.arange(3), [good, bytes(size), good])


changes = st.lists(
    st.tuples(
        st.sampled_from(["write", "load", "clear"]),
        st.lists(st.integers(0, SLOTS - 1), unique=True, max_size=6),
        st.sampled_from([0.0, 0.2, 1.0]),
        st.integers(0, 99),
    ),
    max_size=30,
)


@given(changes)
@settings(deadline=None)
def test_it_is_a_dictionary_of_bodies(made: list[tuple[str, list[int], float, int]]) -> None:
    """After any changes every slot has the body that was kept last, and the same bytes as in any other company."""
    store, plain = BodyStore(WORDS), np.zeros((SLOTS, WORDS), np.uint64)
    for kind, slots, share, seed in made:
        bodies = make_bodies(0.0 if kind == "clear" else share, len(slots), seed)
        plain[slots] = bodies
        if kind == "write":
            store.write(np.array(slots, np.intp), bodies, 0)
        elif kind == "load":
            store.load(np.array(slots, np.intp), list(store_of(bodies).packed(np.arange(len(slots)))))
        else:
            store.clear(np.array(slots, np.intp))
    every = list(range(SLOTS))
    assert (read(store, every) == plain).all()
    assert list(store.packed(np.array(every))) == list(store_of(plain).packed(np.array(every)))


def test_bodies_take_little_more_than_their_bytes() -> None:
    """However often they have grown, and whatever was forgotten meanwhile."""
    count = 8_000
    store = BodyStore(WORDS)
    for share in np.linspace(0.05, 1.0, 20):
        bodies = make_bodies(share, count)
        store.write(np.arange(count), bodies, 0)
        store.clear(np.arange(0, count, 7))
    store.write(np.arange(count), bodies, 0)
    held = sum(map(len, store.packed(np.arange(count))))
    assert held <= store.used_bytes < held * 1.25  # of a body's last block half is not used, on average
    assert (read(store, list(range(count))) == bodies).all()
