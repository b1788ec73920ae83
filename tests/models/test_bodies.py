"""Packing loses nothing."""

from __future__ import annotations

import numpy as np
import pytest
from stillwatch_models.bodies import empty, pack, unpack

WORDS = 70


def make_bodies(share: float, count: int = 50) -> np.ndarray:
    """Random bodies of which this share of words is not zero."""
    rng = np.random.default_rng(3)
    bodies = rng.integers(1, 2**32, (count, WORDS), np.uint32)
    bodies[rng.random(bodies.shape) >= share] = 0
    return bodies


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9, 1.0])
def test_what_is_packed_comes_back(share: float) -> None:
    """However full the bodies are."""
    bodies = make_bodies(share)
    assert (unpack(pack(bodies), WORDS) == bodies).all()


def test_the_same_body_is_the_same_bytes_in_any_company() -> None:
    """Checkpoints write the packed form, and batches must not change a byte of it."""
    bodies = np.concatenate([make_bodies(0.2, 5), make_bodies(0.8, 5)])
    assert pack(bodies) == [one for at in range(10) for one in pack(bodies[at : at + 1])]


def test_an_empty_body_is_its_marks_alone() -> None:
    """One bit a word."""
    assert pack(np.zeros((1, WORDS), np.uint32)) == [empty(WORDS)]
    assert len(empty(WORDS)) == 12
    assert not unpack([empty(WORDS)], WORDS).any()


def test_nothing_is_nothing() -> None:
    """No bodies, no bytes."""
    assert pack(np.zeros((0, WORDS), np.uint32)) == []
    assert unpack([], WORDS).shape == (0, WORDS)
