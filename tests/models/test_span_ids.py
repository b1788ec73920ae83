"""Ids of a span's events are found wherever they stand, in any order, in any piece."""

from __future__ import annotations

import numpy as np
from stillwatch_models.open_panes import EventIds
from stillwatch_models.span_ids import SpanIds


def ids() -> SpanIds:
    """Eight events of two fetches; the order of the events is not that of their offsets."""
    new = SpanIds()
    early, late = (EventIds(np.arange(n, n + 6), [f"e{i}" for i in range(n, n + 6)]) for n in (0, 10))
    new.add(early, np.array([3, 0, 5]))
    new.add(late, np.array([15, 10]))
    new.add(early, np.array([1, 2, 4]))
    return new


ALL = ["e3", "e0", "e5", "e15", "e10", "e1", "e2", "e4"]


def test_positions_may_come_in_any_order_and_again() -> None:
    assert len(ids()) == len(ALL)
    for at in ([0, 1, 2, 3, 4, 5, 6, 7], [7, 0, 3, 3], []):
        assert ids().of(np.array(at, np.intp)) == [ALL[position] for position in at]


def test_a_piece_has_the_ids_of_its_events() -> None:
    for start in range(len(ALL) + 1):
        for end in range(start, len(ALL) + 1):
            piece = ids().piece(start, end)
            assert piece.of(np.arange(len(piece))) == ALL[start:end]
