"""Packing loses nothing."""

from __future__ import annotations

import numpy as np
import pytest
from stillwatch_models.bodies import empty, pack, unpack

WORDS = 70


def make_bodies(share: float, count: int = 50) -> np.ndarray:
    """Random bodies of which this share of words is not zero."""
    rng = np.random.default_rng(3)
    bodies = rng.integers(1, 2**64, (count, WORDS), np.uint64) >> rng.integers(0, 64, (count, WORDS), np.uint64)
    bodies[rng.random(bodies.shape) >= share] = 0
    return bodies


def unpacked(packed: list[bytes]) -> np.ndarray:
    """The bodies, written over something else."""
    rows = np.full((len(packed), WORDS), 7, np.uint64)
    unpack(packed, rows)
    return rows


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9, 1.0])
def test_what_is_packed_comes_back(share: float) -> None:
    """However full the bodies are."""
    bodies = make_bodies(share)
    assert (unpacked(pack(bodies)) == bodies).all()


def test_what_stands_before_a_body_is_left_alone() -> None:
    """Rows hold more than their body."""
    rows = make_bodies(0.5)
    assert pack(rows, first=6) == pack(rows[:, 6:].copy())
    other = np.full_like(rows, 7)
    unpack(pack(rows, first=6), other, first=6)
    assert (other[:, 6:] == rows[:, 6:]).all()
    assert (other[:, :6] == 7).all()


def test_the_form_is_a_bit_a_word_then_the_bytes_that_are_not_zero() -> None:
    """Each kept word with a bit a byte before it; the first of eight in the lowest bit."""
    body = np.zeros((1, 10), np.uint64)
    body[0, [0, 9]] = 1, 0x0203_0000_0000_0400
    assert pack(body) == [bytes([0b1, 0b10, 0b1, 1, 0b1100_0010, 4, 3, 2])]


def test_the_same_body_is_the_same_bytes_in_any_company() -> None:
    """Checkpoints write the packed form, and batches must not change a byte of it."""
    bodies = np.concatenate([make_bodies(0.2, 5), make_bodies(0.8, 5)])
    assert pack(bodies) == [one for at in range(10) for one in pack(bodies[at : at + 1])]


def test_an_empty_body_is_its_marks_alone() -> None:
    """One bit a word."""
    assert pack(np.zeros((1, WORDS), np.uint64)) == [empty(WORDS)]
    assert len(empty(WORDS)) == 9
    assert not unpacked([empty(WORDS)]).any()


def test_nothing_is_nothing() -> None:
    """No bodies, no bytes."""
    assert pack(np.zeros((0, WORDS), np.uint64)) == []
    assert unpacked([]).shape == (0, WORDS)
