"""Where the packed bodies of all accounts are: in one array, end to end, each with a little room to grow in.

A Python object for each would cost fifty bytes more, and would leave holes in the heap wherever a body has outgrown its
place. Here a body that still fits is written over in place; one that does not moves to the end, and its old place is
waste. When an eighth is waste, all bodies move together into an array of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.compiled import Number, Record, compiled, part
from stillwatch_schemas.errors import StateError

from stillwatch_models.bodies import Bytes, Words, empty, longest, pack, unpack

PLACE = np.dtype([("start", "i8"), ("size", "u2"), ("room", "u2")])
"""Of one body, in bytes; all 0 while it is empty."""
GRAIN = 64
"""Rooms are multiples of so many bytes."""
MOST_WASTE = 0.125
LITTLE = 1 << 20
"""So many bytes may be wasted whatever their share."""

Slots = NDArray[np.intp]
Places = NDArray[np.void]


class BodyStore:
    """Bodies of `words` words by slot; every slot has one, which is empty (all zero) at first."""

    def __init__(self, words: int) -> None:
        self._empty = empty(words)
        self._longest = -(-longest(words) // GRAIN) * GRAIN
        self._places: Places = np.zeros(0, PLACE)
        self._data: Bytes = np.empty(0, np.uint8)
        self.used_bytes = 0
        """Up to the end of the last room: what takes memory."""
        self._waste = 0
        """Bytes of these in no body's room."""

    def write(self, slots: Slots, rows: Words, first: int) -> None:
        """Take over the bodies of rows, all from column `first` on; no slot may be named twice."""
        self._make_room(int(slots.max(initial=-1)) + 1, len(slots) * self._longest)
        scratch = np.empty(self._longest, np.uint8)
        self.used_bytes, left = _write(slots, rows, first, self._data, self._places, self.used_bytes, scratch)
        self._let_go(left)

    def read(self, slots: Slots, rows: Words, first: int) -> None:
        """Write the bodies to rows, from column `first` on."""
        self._make_room(int(slots.max(initial=-1)) + 1, 0)
        _read(slots, self._data, self._places, rows, first)

    def packed(self, slots: Sequence[int]) -> Iterator[bytes]:
        """Each body as `bodies` packs it."""
        self._make_room(max(slots, default=-1) + 1, 0)
        places = self._places.take(slots)
        ends = np.cumsum(places["room"], dtype=np.int64)
        room = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
        _gather(places, self._data, room)
        data, sizes = room.tobytes(), places["size"].tolist()
        for start, size in zip([0, *ends.tolist()], sizes, strict=False):
            yield data[start : start + size] or self._empty

    def load(self, slots: Slots, packed: Sequence[bytes]) -> None:
        """Take over packed bodies; no slot may be named twice. StateError where one is none."""
        sizes = np.fromiter(map(len, packed), np.int64, len(packed))
        if len(sizes) and not len(self._empty) <= sizes.min() <= sizes.max() <= self._longest:
            raise StateError(
                f"Bodies of accounts have {sizes.min()} to {sizes.max()} bytes; {len(self._empty)} to {self._longest}"
                " are possible. The checkpoint is damaged: start with empty state, stillwatch worker --reset-state."
            )
        self._make_room(int(slots.max(initial=-1)) + 1, len(slots) * self._longest)
        joined, scratch = np.frombuffer(b"".join(packed), np.uint8), np.empty(self._longest, np.uint8)
        self.used_bytes, left = _load(slots, joined, sizes, self._data, self._places, self.used_bytes, scratch)
        self._let_go(left)

    def clear(self, slot: int) -> None:
        """Make a body empty."""
        if slot < len(self._places):
            room = int(self._places["room"][slot])
            self._places[slot] = 0
            self._let_go(room)

    def _make_room(self, slots: int, size: int) -> None:
        if slots > len(self._places):
            more = np.zeros(2 * slots, PLACE)
            more[: len(self._places)] = self._places
            self._places = more
        if self.used_bytes + size > len(self._data):
            self._move(size)

    def _let_go(self, waste: int) -> None:
        self._waste += waste
        if self._waste > max(LITTLE, MOST_WASTE * self.used_bytes):
            self._move(0)

    def _move(self, size: int) -> None:
        """Everything into an array twice as long and so much more; what is not used of it takes no memory."""
        data = np.empty(2 * (self.used_bytes - self._waste) + size, np.uint8)
        self.used_bytes, self._waste = _moved(self._data, self._places, data), 0
        self._data = data


@compiled
def _write(  # noqa: PLR0917 - in compiled code arguments have positions only
    slots: Slots, rows: Words, first: int, data: Bytes, places: Places, used: int, scratch: Bytes
) -> tuple[int, int]:
    """Pack bodies and keep them; the bytes used then, and those left behind."""
    waste = 0
    for at in range(len(slots)):
        size = pack(rows[at, first:], scratch)
        used, left = _keep(scratch, size, data, places[slots[at]], used)
        waste += left
    return used, waste


@compiled
def _load(  # noqa: PLR0917 - as above
    slots: Slots, joined: Bytes, sizes: NDArray[np.int64], data: Bytes, places: Places, used: int, scratch: Bytes
) -> tuple[int, int]:
    """Keep packed bodies that come one after the other; the bytes used then, and those left behind."""
    waste = at = 0
    for i in range(len(slots)):
        scratch[: sizes[i]] = joined[at : at + sizes[i]]
        used, left = _keep(scratch, sizes[i], data, places[slots[i]], used)
        waste += left
        at += sizes[i]
    return used, waste


@part
def _keep(packed: Bytes, size: Number, data: Bytes, place: Record, used: Number) -> tuple[Number, Number]:
    left = np.int64(0)
    if size > place.room:
        left = np.int64(place.room)
        place.start = used
        place.room = _room(size)
        used += _room(size)
    place.size = size
    _copy(packed, 0, data, place.start, _room(size))
    return used, left


@part
def _room(size: Number) -> Number:
    return (size + GRAIN - 1) // GRAIN * GRAIN


@part
def _copy(source: Bytes, at: Number, to: Bytes, start: Number, size: Number) -> None:
    """Copy whole grains, word by word: a byte at a time, as slices are copied, takes much longer."""
    words, others = source[at : at + size].view(np.uint64), to[start : start + size].view(np.uint64)
    for i in range(len(words)):
        others[i] = words[i]


@compiled
def _read(slots: Slots, data: Bytes, places: Places, rows: Words, first: int) -> None:
    """Unpack bodies."""
    for at in range(len(slots)):
        place = places[slots[at]]
        if place.size:
            unpack(data[place.start :], rows[at, first:])
        else:
            rows[at, first:] = 0


@compiled
def _gather(places: Places, data: Bytes, to: Bytes) -> None:
    """Copy some bodies, with their rooms, one after the other."""
    at = np.int64(0)
    for place in places:
        _copy(data, place.start, to, at, np.int64(place.room))
        at += np.int64(place.room)


@compiled
def _moved(data: Bytes, places: Places, to: Bytes) -> int:
    """Move all bodies, by slot, each into a room of its size; the bytes used then."""
    used = 0
    for slot in range(len(places)):
        place = places[slot]
        if place.size:
            room = _room(np.int64(place.size))
            _copy(data, place.start, to, used, room)
            place.start = used
            place.room = room
            used += room
    return used
