"""Where the packed bodies of all accounts are: in blocks of one array, chained.

A body that grows gets one more block, so no body is ever moved, nothing is left behind, and growth never makes a pane
wait. Blocks that a body needs no longer are given to the next one that grows. A Python object for each body would cost
fifty bytes more, and would leave holes in the heap wherever a body has outgrown its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.compiled import Number, Record, compiled, part
from stillwatch_schemas.errors import StateError

from stillwatch_models.bodies import Bytes, Words, empty, longest, pack, unpack

PLACE = np.dtype([("first", "u4"), ("size", "u4")])
"""Of one body: its first block, and its bytes; both 0 while nothing was written."""
BLOCK = 32
"""Units of a block, each of four bytes. The first is the number of the next block, 0 in the last one."""
UNIT = 4
HELD = (BLOCK - 1) * UNIT
"""Bytes of a body in a block."""
GROWTH = 16
"""The array grows by this part of itself: room for more bodies takes memory, for the system has to clear it."""
AT_ONCE = 256
"""Bodies that room is made for together, as if they were of the greatest length."""

Slots = NDArray[np.intp]
Places = NDArray[np.void]
Blocks = NDArray[np.uint32]


class BodyStore:
    """Bodies of `words` words by slot; every slot has one, which is empty (all zero) at first."""

    def __init__(self, words: int) -> None:
        self._empty = empty(words)
        self._longest = longest(words)
        self._most_blocks = -(-self._longest // HELD)
        self._places: Places = np.zeros(0, PLACE)
        self._blocks: Blocks = np.zeros((1, BLOCK), np.uint32)
        """Number 0 is none."""
        self._used = 1
        """Blocks that were ever used."""
        self._free = 0
        """The first of those that no body has; the others follow as those of a body do."""

    @property
    def used_bytes(self) -> int:
        """What the blocks take that were ever used."""
        return self._used * BLOCK * UNIT

    def write(self, slots: Slots, rows: Words, first: int) -> None:
        """Take over the bodies of rows, all from column `first` on; no slot may be named twice."""
        self._make_places(slots)
        for start in range(0, len(slots), AT_ONCE):
            self._make_room()
            some = slice(start, start + AT_ONCE)
            room = self._scratch()
            self._used, self._free = _write(
                slots[some], rows[some], first, self._blocks, self._places, self._used, self._free, room
            )

    def read(self, slots: Slots, rows: Words, first: int) -> None:
        """Write the bodies to rows, from column `first` on."""
        self._make_places(slots)
        _read(slots, self._blocks, self._places, rows, first, self._scratch())

    def packed(self, slots: Slots) -> Iterator[bytes]:
        """Each body as `bodies` packs it."""
        self._make_places(slots)
        places = self._places.take(slots)
        sizes = places["size"]
        ends = np.cumsum(-(-sizes.astype(np.int64) // HELD) * HELD)
        room = np.empty(int(ends[-1]) // UNIT if len(ends) else 0, np.uint32)
        _gather(places, self._blocks, room)
        data = room.tobytes()
        for start, size in zip([0, *ends.tolist()], sizes.tolist(), strict=False):
            yield data[start : start + size] or self._empty

    def load(self, slots: Slots, packed: Sequence[bytes]) -> None:
        """Take over packed bodies; no slot may be named twice. StateError where one is none."""
        sizes = np.fromiter(map(len, packed), np.int64, len(packed))
        if len(sizes) and not len(self._empty) <= sizes.min() <= sizes.max() <= self._longest:
            raise StateError(
                f"Bodies of accounts have {sizes.min()} to {sizes.max()} bytes; {len(self._empty)} to {self._longest}"
                " are possible. The checkpoint is damaged: start with empty state, stillwatch worker --reset-state."
            )
        self._make_places(slots)
        for start in range(0, len(slots), AT_ONCE):
            self._make_room()
            some = slice(start, start + AT_ONCE)
            joined = np.frombuffer(b"".join(packed[some]), np.uint8)
            self._used, self._free = _load(
                slots[some], joined, sizes[some], self._blocks, self._places, self._used, self._free, self._scratch()
            )

    def clear(self, slots: Slots) -> None:
        """Make bodies empty."""
        self._make_places(slots)
        self._free = _clear(slots, self._blocks, self._places, self._free)

    def _scratch(self) -> Blocks:
        """Room for one body."""
        return np.zeros(self._most_blocks * (BLOCK - 1), np.uint32)

    def _make_places(self, slots: Slots) -> None:
        count = int(slots.max(initial=-1)) + 1
        if count > len(self._places):
            more = np.zeros(2 * count, PLACE)
            more[: len(self._places)] = self._places
            self._places = more

    def _make_room(self) -> None:
        """Room for the next bodies. The system moves large arrays without copying them."""
        wanted = self._used + AT_ONCE * self._most_blocks
        if wanted > len(self._blocks):
            self._blocks.resize((wanted + self._used // GROWTH, BLOCK), refcheck=False)


@compiled
def _write(  # noqa: PLR0917 - in compiled code arguments have positions only
    slots: Slots, rows: Words, first: int, blocks: Blocks, places: Places, used: int, free: int, room: Blocks
) -> tuple[int, int]:
    """Pack bodies and keep them; the blocks used then, and the first free one."""
    for at in range(len(slots)):
        size = pack(rows[at, first:], room.view(np.uint8))
        used, free = _keep(room, size, blocks, places[slots[at]], used, free)
    return used, free


@compiled
def _load(  # noqa: PLR0917 - as above
    slots: Slots,
    joined: Bytes,
    sizes: NDArray[np.int64],
    blocks: Blocks,
    places: Places,
    used: int,
    free: int,
    room: Blocks,
) -> tuple[int, int]:
    """Keep packed bodies that come one after the other; the blocks used then, and the first free one."""
    start = 0
    for at in range(len(slots)):
        room.view(np.uint8)[: sizes[at]] = joined[start : start + sizes[at]]
        used, free = _keep(room, sizes[at], blocks, places[slots[at]], used, free)
        start += sizes[at]
    return used, free


@part
def _keep(  # noqa: PLR0917 - as above
    packed: Blocks, size: Number, blocks: Blocks, place: Record, used: Number, free: Number
) -> tuple[Number, Number]:
    """Write a packed body over the one before."""
    before, at = np.int64(0), np.int64(place.first)
    for start in range(0, (size + UNIT - 1) // UNIT, BLOCK - 1):
        if at == 0:
            at, used, free = _another(blocks, used, free)
            if before:
                blocks[before, 0] = at
            else:
                place.first = at
        for i in range(BLOCK - 1):
            blocks[at, 1 + i] = packed[start + i]
        before, at = at, np.int64(blocks[at, 0])
    place.size = size
    blocks[before, 0] = 0
    return used, _let_go(at, blocks, free)


@part
def _another(blocks: Blocks, used: Number, free: Number) -> tuple[Number, Number, Number]:
    """A block that nobody has, the last of its chain; then the blocks used, and the first free one."""
    if free:
        at, free = free, np.int64(blocks[free, 0])
    else:
        at, used = used, used + 1
    blocks[at, 0] = 0
    return at, used, free


@part
def _let_go(at: Number, blocks: Blocks, free: Number) -> Number:
    """Free a block and all that follow; the first free one then."""
    while at:
        following = np.int64(blocks[at, 0])
        blocks[at, 0] = free
        at, free = following, at
    return free


@part
def _copied(place: Record, blocks: Blocks, to: Blocks, start: Number) -> Number:
    """Copy a body, in whole blocks; where it ends."""
    at = np.int64(place.first)
    while at:
        for i in range(BLOCK - 1):
            to[start + i] = blocks[at, 1 + i]
        start += BLOCK - 1
        at = np.int64(blocks[at, 0])
    return start


@compiled
def _read(  # noqa: PLR0917 - as above
    slots: Slots, blocks: Blocks, places: Places, rows: Words, first: int, room: Blocks
) -> None:
    """Unpack bodies."""
    for at in range(len(slots)):
        if _copied(places[slots[at]], blocks, room, 0):
            unpack(room.view(np.uint8), rows[at, first:])
        else:
            rows[at, first:] = 0


@compiled
def _gather(places: Places, blocks: Blocks, to: Blocks) -> None:
    """Copy some bodies one after the other."""
    at = 0
    for place in places:
        at = _copied(place, blocks, to, at)


@compiled
def _clear(slots: Slots, blocks: Blocks, places: Places, free: int) -> Number:
    """Free all blocks of some bodies; the first free one then."""
    for at in range(len(slots)):
        place = places[slots[at]]
        free = _let_go(np.int64(place.first), blocks, free)
        place.first = place.size = 0
    return free
