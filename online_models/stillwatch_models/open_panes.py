"""Events of panes that are still open: they wait part by part, as they came, until the watermark closes their pane.

A part is not touched again before it closes. Only a part in which some panes have closed and others have not is cut in
two, so that waiting costs an event the same however many others wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, compress

import msgspec
import numpy as np
from numpy.typing import NDArray

from stillwatch_models.columns import EVENT, Events
from stillwatch_models.records import join, take

Int64s = NDArray[np.int64]


class Part(msgspec.Struct, frozen=True):
    """Some events, by offset."""

    events: Events
    ids: Sequence[str]
    first_pane: int
    last_pane: int


class EventIds:
    """Ids of events by offset; only the few that are told are ever looked up."""

    def __init__(self, offsets: Int64s, ids: Sequence[str]) -> None:
        self._offsets = offsets
        self._ids = ids

    def of(self, offsets: Int64s) -> list[str]:
        """The ids of these events, all of which must be known."""
        ids = self._ids
        return [ids[at] for at in np.searchsorted(self._offsets, offsets).tolist()]


class OpenPanes:
    """Events that wait, in the order of their offsets."""

    def __init__(self) -> None:
        self._parts: list[Part] = []

    def put(self, events: Events, ids: Sequence[str]) -> None:
        """Events that came together, at least one; their offsets are greater than those of all that wait."""
        panes = events["pane"]
        self._parts.append(Part(events, ids, int(panes.min()), int(panes.max())))

    def take(self, closed_before: int) -> tuple[Events, EventIds]:
        """The events of panes before this one, by offset, which wait no longer, and their ids."""
        closed: list[Part] = []
        waiting: list[Part] = []
        for part in self._parts:
            if part.first_pane >= closed_before:
                waiting.append(part)
            elif part.last_pane < closed_before:
                closed.append(part)
            else:
                over = part.events["pane"] < closed_before
                closed.append(_some(part, over))
                waiting.append(_some(part, ~over))
        self._parts = waiting
        if not closed:
            return np.zeros(0, EVENT), EventIds(np.zeros(0, np.int64), ())
        events = join([part.events for part in closed])
        return events, EventIds(events["offset"].copy(), list(chain.from_iterable(part.ids for part in closed)))

    def slots(self) -> Iterator[int]:
        """Account slot of every event that waits."""
        return chain.from_iterable(part.events["row"].tolist() for part in self._parts)

    def first(self) -> np.void | None:
        """The event with the least offset."""
        return self._parts[0].events[0] if self._parts else None


def _some(part: Part, chosen: NDArray[np.bool_]) -> Part:
    events = take(part.events, np.flatnonzero(chosen))
    panes = events["pane"]
    return Part(events, tuple(compress(part.ids, chosen.tolist())), int(panes.min()), int(panes.max()))
