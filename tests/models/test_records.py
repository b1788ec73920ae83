"""Moving records as plain bytes gives what NumPy's own indexing gives."""

from __future__ import annotations

import numpy as np
from stillwatch_models.records import join, put, take

RECORD = np.dtype([("count", "i8"), ("mark", "i1"), ("share", "f4", (3,))])


def make_records(count: int) -> np.ndarray:
    """Records that all differ."""
    records = np.zeros(count, RECORD)
    records["count"], records["mark"] = np.arange(count), np.arange(count) % 7
    records["share"] = np.random.default_rng(1).random((count, 3))
    return records


def test_take_copies_what_is_asked_for() -> None:
    """In that order, repeats included, and as a copy."""
    records, at = make_records(9), np.array([8, 0, 0, 3])
    taken = take(records, at)
    assert (taken == records[at]).all()
    taken["count"] = -1
    assert (records["count"] >= 0).all()


def test_put_writes_in_place() -> None:
    """Only where it is told to."""
    records, other = make_records(9), make_records(9)[::-1].copy()
    expected = records.copy()
    expected[[1, 5]] = other[:2]
    put(records, np.array([1, 5]), other[:2])
    assert (records == expected).all()


def test_join_keeps_order_and_dtype() -> None:
    """Also of a single part."""
    records = make_records(9)
    assert (join([records[:4], records[4:]]) == records).all()
    assert join([records]).dtype == RECORD
