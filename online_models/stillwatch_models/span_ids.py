"""Ids of a span's events, looked up only where they are told or saved: of most groups a few examples are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stillwatch_models.open_panes import EventIds

Indices = NDArray[np.intp]
Int64s = NDArray[np.int64]


class SpanIds:
    """Where each event's id stands, in the order of the events."""

    def __init__(self) -> None:
        self._parts: list[tuple[EventIds, Int64s]] = []
        """Ids by offset, and offsets of consecutive events."""
        self._ends: list[int] = []
        """Events up to each part's end."""

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def add(self, ids: EventIds, offsets: Int64s) -> None:
        """Add events."""
        self._parts.append((ids, offsets))
        self._ends.append(len(self) + len(offsets))

    def of(self, at: Indices) -> list[str]:
        """Ids of the events at these positions."""
        found = np.empty(len(at), object)
        part_of = np.searchsorted(self._ends, at, side="right")
        for part in np.unique(part_of).tolist():
            ids, offsets = self._parts[part]
            here = part_of == part
            found[here] = ids.of(offsets[at[here] - (self._ends[part] - len(offsets))])
        known: list[str] = found.tolist()
        return known

    def piece(self, start: int, end: int) -> SpanIds:
        """The ids of the events from `start` to before `end`."""
        piece = SpanIds()
        for (ids, offsets), last in zip(self._parts, self._ends, strict=True):
            first = last - len(offsets)
            inside = offsets[max(0, start - first) : max(0, end - first)]
            if len(inside):
                piece.add(ids, inside)
        return piece
