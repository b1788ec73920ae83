"""Who sent a text first: a bounded memory of text hashes, for exculpation.

What unrelated accounts send word for word is a benchmark, an assignment or a viral prompt, not a harvester's private
list. So a text that another account of the partition sent before is no harvest event, and when somebody else sends a
text later, the first sender's harvest event is taken back (once).

The memory is a ring in order of arrival, so that a checkpoint writes the few pages at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat

import msgspec
import numpy as np
from numpy.typing import NDArray

from stillwatch_models.columns import Events
from stillwatch_models.harvest import LOOSE, STRICT

ENTRY = np.dtype([("text", "i8"), ("owner", "u8"), ("pane", "i8"), ("model", "u4"), ("flags", "u1")])
TAKEN_BACK = 4
"""Flag beside the marks of `harvest`: the text was a harvest event, and is not any more."""
PAGE = 1_024
"""Entries in a row of the checkpoint."""


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
        self._ring = np.zeros(pages * PAGE, ENTRY)
        self._slots = np.zeros(len(self._ring), np.int64)
        """Slot of each owner in the account table: derived, not part of the state."""
        self._where: dict[int, int] = {}
        self.written = 0
        """Texts ever taken in."""
        self._dirty: set[int] = set()

    def look_up(self, events: Events, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], list[Exposure]]:
        """Take in the texts of a segment, in order.

        Marks `events["shared"]` where another account was first, and `events["requeried"]` where the account itself
        was, with another model. Returns the ring position of each event that is the first of its text (else -1), and
        the exposures.
        """
        begun = self.written
        first_at = np.full(len(events), -1, np.int64)
        shared, requeried = np.zeros(len(events), bool), np.zeros(len(events), bool)
        exposures: list[Exposure] = []
        asked = np.flatnonzero(events["has_text"])
        entries = self._entries(events, asked, keys)
        again = self._take_in_all(events, asked, entries, first_at)
        slots, panes = events["row"].tolist(), events["pane"].tolist()
        texts, owners, models = (entries[name].tolist() for name in ("text", "owner", "model"))
        for nth, at in zip(again.tolist(), asked[again].tolist(), strict=True):
            position = self._where.get(texts[nth])
            if position is None:
                first_at[at] = self._take_in(texts[nth], entries[nth], slots[at])
            elif self._ring["owner"][position] != owners[nth]:
                shared[at] = True
                if not self._ring["flags"][position] & TAKEN_BACK:
                    exposures.append(self._expose(position, panes[at], begun))
            else:
                requeried[at] = self._ring["model"][position] != models[nth]
        events["shared"], events["requeried"] = shared, requeried
        return first_at, exposures

    @staticmethod
    def _entries(events: Events, asked: Indices, keys: NDArray[np.uint64]) -> Entries:
        """What would be written of each event with text."""
        entries = np.zeros(len(asked), ENTRY)
        entries["text"], entries["owner"] = events["text_hash"][asked], keys[events["row"][asked]]
        entries["pane"], entries["model"] = events["pane"][asked], events["model"][asked]
        return entries

    def _take_in_all(self, events: Events, asked: Indices, entries: Entries, first_at: NDArray[np.int64]) -> Indices:
        """Take in all new texts at once; returns which entries are left to look at one by one, in order.

        That changes nothing unless a text that is looked up is one of the oldest, which the new ones are written over:
        then everything is left.
        """
        texts, size = entries["text"].tolist(), len(self._ring)
        known = np.fromiter(map(self._where.get, texts, repeat(-1)), np.int64, len(texts))
        overwritten = (known - self.written) % size < len(texts)
        if len(texts) > size or (self.written + len(texts) > size and (overwritten & (known >= 0)).any()):
            return np.arange(len(texts))
        is_first = np.zeros(len(texts), bool)
        is_first[np.unique(entries["text"], return_index=True)[1]] = True
        new = np.flatnonzero(is_first & (known < 0))
        first_at[asked[new]] = self._write(entries[new], events["row"][asked[new]])
        return np.flatnonzero(~is_first | (known >= 0))

    def _write(self, entries: Entries, slots: NDArray[np.int64]) -> Indices:
        """Write entries over the oldest ones; returns where."""
        positions = (self.written + np.arange(len(entries))) % len(self._ring)
        old = positions[self.written + np.arange(len(entries)) >= len(self._ring)]
        for text, position in zip(self._ring["text"][old].tolist(), old.tolist(), strict=True):
            if self._where.get(text) == position:
                del self._where[text]
        self._ring[positions], self._slots[positions] = entries, slots
        self._where.update(zip(entries["text"].tolist(), positions.tolist(), strict=True))
        self._dirty.update(np.unique(positions // PAGE).tolist())
        self.written += len(entries)
        return positions

    def _expose(self, position: int, pane: int, begun: int) -> Exposure:
        """Note an exposure. What stood there before the segment may be overwritten in it, so its flags are kept now."""
        _, owner, sent, _, flags = self._ring[position].tolist()
        age = (self.written - 1 - position) % len(self._ring)
        known = flags if age >= self.written - begun else None
        self._flag(position, TAKEN_BACK)
        slot = int(self._slots[position])
        return Exposure(slot=slot, owner=owner, sent=sent, pane=pane, position=position, flags=known)

    def _take_in(self, text: int, entry: np.void, slot: int) -> int:
        """The same as `_write`, for one entry."""
        position = self.written % len(self._ring)
        if self.written >= len(self._ring):
            old = int(self._ring["text"][position])
            if self._where.get(old) == position:
                del self._where[old]
        self._ring[position] = entry
        self._slots[position] = slot
        self._where[text] = position
        self.written += 1
        self._dirty.add(position // PAGE)
        return position

    def _flag(self, position: int, flags: int) -> None:
        self._ring["flags"][position] |= flags
        self._dirty.add(position // PAGE)

    def note_harvest(self, positions: NDArray[np.int64], marks: NDArray[np.uint8]) -> None:
        """Remember which first texts were counted as harvest events; `marks` are those of `harvest`."""
        counted = np.flatnonzero((positions >= 0) & (marks & LOOSE != 0))
        np.bitwise_or.at(self._ring["flags"], positions[counted], marks[counted] & (STRICT | LOOSE))
        self._dirty.update(np.unique(positions[counted] // PAGE).tolist())

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
        dirty, self._dirty = sorted(self._dirty), set()
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
        self._where = {text: position for position, text in enumerate(self._ring["text"][:filled].tolist())}
