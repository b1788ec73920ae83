"""Freed memory goes back to the system."""

from __future__ import annotations

import ctypes

import psutil
import pytest
from stillwatch_streams.memory import give_back

PIECES, PIECE_BYTES = 100_000, 1_000


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="another C library than glibc")
def test_what_is_freed_below_something_in_use_is_given_back() -> None:
    process = psutil.Process()
    pieces = [bytes(PIECE_BYTES) for _ in range(PIECES)]
    in_use = pieces[-1]  # on top: the C library gives back by itself only what lies above everything in use
    full = process.memory_info().rss
    del pieces
    give_back()
    assert full - process.memory_info().rss > PIECES * PIECE_BYTES // 2
    assert len(in_use) == PIECE_BYTES
