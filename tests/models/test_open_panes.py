"""What waits: parts come out whole, in order, with their ids, and only once their panes have closed."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from stillwatch_models.columns import EVENT, Events
from stillwatch_models.open_panes import EventIds, OpenPanes


def part(first: int, *panes: int) -> tuple[Events, list[str]]:
    """Events of these panes with offsets from `first` on; an event's slot is its offset, and so is its id."""
    events = np.zeros(len(panes), EVENT)
    events["pane"] = panes
    events["offset"] = events["row"] = np.arange(first, first + len(panes))
    return events, [str(offset) for offset in events["offset"].tolist()]


def taken(waiting: OpenPanes, closed_before: int) -> list[int]:
    """Offsets that come out; their ids belong to them."""
    events, ids = waiting.take(closed_before)
    offsets: list[int] = events["offset"].tolist()
    assert ids.of(events["offset"]) == [str(offset) for offset in offsets]
    return offsets


def test_a_part_is_cut_where_some_panes_have_closed() -> None:
    waiting = OpenPanes()
    waiting.put(*part(10, 1, 3, 1))
    waiting.put(*part(13, 3, 3))
    assert taken(waiting, 1) == []
    assert taken(waiting, 2) == [10, 12]
    first = waiting.first()
    assert first is not None
    assert first["offset"] == 11
    assert list(waiting.slots()) == [11, 13, 14]
    assert taken(waiting, 4) == [11, 13, 14]
    assert waiting.first() is None


@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=8), max_size=6), st.lists(st.integers(0, 7)))
def test_every_event_comes_out_once_and_in_order(parts: list[list[int]], closings: list[int]) -> None:
    waiting, pane_of = OpenPanes(), [pane for panes in parts for pane in panes]
    first = 0
    for panes in parts:
        waiting.put(*part(first, *panes))
        first += len(panes)
    left = list(range(first))
    for closed_before in [*sorted(closings), 6]:
        assert taken(waiting, closed_before) == [at for at in left if pane_of[at] < closed_before]
        left = [at for at in left if pane_of[at] >= closed_before]
        assert list(waiting.slots()) == left
    assert left == []


def test_ids_are_found_whatever_lies_between_their_offsets() -> None:
    ids = EventIds(np.array([3, 4, 90]), ["a", "b", "c"])
    assert ids.of(np.array([90, 3, 3])) == ["c", "a", "a"]
    assert ids.of(np.zeros(0, np.int64)) == []
