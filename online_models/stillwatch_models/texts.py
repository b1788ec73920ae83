"""Who sent a text first: a bounded memory of text hashes, for exculpation.

What unrelated accounts send word for word is a benchmark, an assignment or a viral prompt, not a harvester's private
list. So a text that another account of the partition sent before is no harvest event, and when somebody else sends a
text later, the first sender's harvest event is taken back (once).

The memory is a ring in order of arrival, so that a checkpoint writes the few pages at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.compiled import Number, Record, Records, compiled, part

from stillwatch_models.columns import Events
from stillwatch_models.harvest import LOOSE, STRICT
from stillwatch_models.text_index import Index, find, insert, new_index, remove

ENTRY = np.dtype([("text", "i8"), ("owner", "u8"), ("pane", "i8"), ("model", "u4"), ("flags", "u1")])
TAKEN_BACK = 4
"""Flag beside the marks of `harvest`: the text was a harvest event, and is not any more."""
PAGE = 1_024
"""Entries in a row of the checkpoint."""

ANSWER = np.dtype([("first_at", "i8"), ("shared", "u1"), ("requeried", "u1")])
"""Of one event with text."""
EXPOSED = np.dtype(
    [("slot", "i8"), ("owner", "u8"), ("sent", "i8"), ("pane", "i8"), ("position", "i8"), ("flags", "i2")]
)
"""An `Exposure` in compiled code."""
NOT_YET = -1
"""In place of the flags of an `Exposure` that has none."""


Entries = NDArray[np.void]
Indices = NDArray[np.intp]


class Exposure(msgspec.Struct):
    """Another account sent a text in `pane` that `owner`, the account in `slot`, had sent first."""

    slot: int
    owner: int
    """The first sender's key: its slot may have been given to another account."""
    sent: int
    """Pane in which the owner sent it."""
    pane: int
    position: int
    """Where the text stands in the ring."""
    flags: int | None
    """What the text counted as; None while its own pane is yet to be folded."""


class TextMemory:
    """The latest texts of one partition and their first senders."""

    def __init__(self, capacity: int) -> None:
        pages = max(1, -(-capacity // PAGE))
        self._ring: Entries = np.zeros(pages * PAGE, ENTRY)
        self._slots = np.zeros(len(self._ring), np.int64)
        """Slot of each owner in the account table: derived, not part of the state."""
        self._index = new_index(self._ring)
        """Derived as well."""
        self.written = 0
        """Texts ever taken in."""
        self._dirty = np.zeros(pages, bool)

    def look_up(self, events: Events, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], list[Exposure]]:
        """Take in the texts of a segment, in order.

        Marks `events["shared"]` where another account was first, and `events["requeried"]` where the account itself
        was, with another model. Returns the ring position of each event that is the first of its text (else -1), and
        the exposures.
        """
        asked = np.flatnonzero(events["has_text"])
        answers, exposed = np.zeros(len(asked), ANSWER), np.zeros(len(asked), EXPOSED)
        entries, slots = self._entries(events, asked, keys), events["row"][asked].astype(np.int64)
        self.written, count = _look_up(
            entries, slots, self._ring, self._slots, self._index, self.written, self._dirty, answers, exposed
        )
        first_at = np.full(len(events), -1, np.int64)
        first_at[asked] = answers["first_at"]
        for mark in ("shared", "requeried"):
            events[mark] = 0
            events[mark][asked] = answers[mark]
        return first_at, [_exposure(one) for one in exposed[:count]]

    @staticmethod
    def _entries(events: Events, asked: Indices, keys: NDArray[np.uint64]) -> Entries:
        """What would be written of each event with text."""
        entries = np.zeros(len(asked), ENTRY)
        entries["text"], entries["owner"] = events["text_hash"][asked], keys[events["row"][asked]]
        entries["pane"], entries["model"] = events["pane"][asked], events["model"][asked]
        return entries

    def note_harvest(self, positions: NDArray[np.int64], marks: NDArray[np.uint8]) -> None:
        """Remember which first texts were counted as harvest events; `marks` are those of `harvest`."""
        counted = np.flatnonzero((positions >= 0) & (marks & LOOSE != 0))
        np.bitwise_or.at(self._ring["flags"], positions[counted], marks[counted] & (STRICT | LOOSE))
        self._dirty[positions[counted] // PAGE] = True

    def settle(self, exposures: list[Exposure]) -> None:
        """The panes of these texts are folded: keep what they counted as, whatever is written over them."""
        for exposure in exposures:
            if exposure.flags is None:
                exposure.flags = int(self._ring["flags"][exposure.position])

    def counted(self, exposure: Exposure) -> tuple[int, int]:
        """How much harvest and informal harvest an exposure takes back."""
        flags = int(self._ring["flags"][exposure.position]) if exposure.flags is None else exposure.flags
        return int(bool(flags & STRICT)), int(bool(flags & LOOSE))

    # -- putting down and picking up -----------------------------------------------------------------------------

    def take_dirty(self) -> Iterator[tuple[int, bytes]]:
        """Changed pages, which become clean."""
        dirty = np.flatnonzero(self._dirty).tolist()
        self._dirty[:] = False
        for page in dirty:
            yield page, self._page(page)

    def dump(self) -> Iterator[tuple[int, bytes]]:
        """All pages that were ever written."""
        for page in range(min(len(self._ring), self.written + PAGE - 1) // PAGE):
            yield page, self._page(page)

    def _page(self, page: int) -> bytes:
        return self._ring[page * PAGE : (page + 1) * PAGE].tobytes()

    def load(
        self,
        pages: Iterator[tuple[int, bytes]],
        written: int,
        slots_of_keys: Callable[[NDArray[np.uint64]], NDArray[np.int64]],
    ) -> None:
        """Take over dumped pages. `slots_of_keys` says where the accounts with some keys are now, -1 for nowhere."""
        for page, data in pages:
            self._ring[page * PAGE : (page + 1) * PAGE] = np.frombuffer(data, ENTRY)
        self.written = written
        filled = min(written, len(self._ring))
        self._slots[:filled] = slots_of_keys(self._ring["owner"][:filled])
        self._index = new_index(self._ring)
        _enter(self._ring, self._index, filled)


def _exposure(noted: np.void) -> Exposure:
    slot, owner, sent, pane, position, flags = noted.item()
    return Exposure(
        slot=slot, owner=owner, sent=sent, pane=pane, position=position, flags=None if flags == NOT_YET else flags
    )


@compiled
def _look_up(  # noqa: PLR0917 - in compiled code arguments have positions only
    asked: Records,
    slots: NDArray[np.int64],
    ring: Records,
    owners: NDArray[np.int64],
    index: Index,
    written: int,
    dirty: NDArray[np.bool_],
    answers: Records,
    exposed: Records,
) -> tuple[int, int]:
    """Look at each text, and write what is new over the oldest; how many were ever written, and the exposures."""
    begun, count = written, 0
    for nth in range(len(asked)):
        entry, answer = asked[nth], answers[nth]
        position = find(index, ring, entry.text)
        answer.first_at = -1
        if position < 0:
            answer.first_at = position = _take_in(entry, ring, index, written)
            owners[position] = slots[nth]
            dirty[position // PAGE] = True
            written += 1
        elif ring[position].owner == entry.owner:
            answer.requeried = ring[position].model != entry.model
        else:
            answer.shared = True
            if not ring[position].flags & TAKEN_BACK:
                before = written - 1 - (written - 1 - position) % len(ring) < begun
                _expose(ring[position], owners[position], entry.pane, position, before, exposed[count])
                dirty[position // PAGE] = True
                count += 1
    return written, count


@part
def _take_in(entry: Record, ring: Records, index: Index, written: Number) -> Number:
    """Write a new text over the oldest one; where."""
    position = written % len(ring)
    if written >= len(ring):
        remove(index, ring, position)
    ring[position] = entry
    insert(index, ring, position)
    return position


@part
def _expose(  # noqa: PLR0917 - as above
    known: Record, slot: Number, pane: Number, position: Number, before: Number, exposure: Record
) -> None:
    """Note an exposure. What stood there `before` the segment may be overwritten in it, so its flags are kept now."""
    exposure.slot, exposure.owner, exposure.sent = slot, known.owner, known.pane
    exposure.pane, exposure.position = pane, position
    exposure.flags = known.flags if before else NOT_YET
    known.flags |= TAKEN_BACK


@compiled
def _enter(ring: Records, index: Index, filled: int) -> None:
    """Put the texts of a ring into an empty index."""
    for position in range(filled):
        insert(index, ring, position)
