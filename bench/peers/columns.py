"""Windows of many accounts as columns: a whole fetch is folded at once, and every event learns what its window held.

They are kept and written by the page, 64 accounts each, as databases do: a checkpoint writes the pages that changed.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
WIDTH = 3
"""Window number, requests, tokens."""
PAGE = 64
"""Accounts in a page."""
FIRST_PAGES = 16
_NUMBER = struct.Struct(">I")
_decode_page = msgspec.msgpack.Decoder(tuple[list[str], bytes]).decode


class Windows:
    """Account → its last window, requests and tokens in it."""

    def __init__(self) -> None:
        self._slots: dict[str, int] = {}
        self._names: list[str] = []
        self._rows: Ints = np.full((FIRST_PAGES * PAGE, WIDTH), -1, np.int64)
        self._touched = np.zeros(FIRST_PAGES, np.bool_)

    def fold(self, accounts: Sequence[str], windows: Ints, tokens: Ints) -> tuple[Ints, Ints]:
        """Requests and tokens of each event's window just after it; a window other than the account's last begins at 0.

        Sorted by account, stably, an account's events are runs of one window each; within a run both figures are
        running sums, and only the first run of an account may go on where its last window stood.
        """
        slots = self._slots_of(accounts)
        self._touched[slots // PAGE] = True
        order = np.argsort(slots, kind="stable")
        slot, window, token = slots[order], windows[order], tokens[order]
        new_slot = np.diff(slot, prepend=-1) != 0
        begins = np.flatnonzero(new_slot | (np.diff(window, prepend=-1) != 0))
        lengths = np.diff(begins, append=len(slot))
        last = self._rows[slot[begins]]
        goes_on = new_slot[begins] & (last[:, 0] == window[begins])
        total = np.cumsum(token)
        requests = np.arange(1, len(slot) + 1) + np.repeat(np.where(goes_on, last[:, 1], 0) - begins, lengths)
        summed = total + np.repeat(np.where(goes_on, last[:, 2], 0) - (total - token)[begins], lengths)
        ends = np.flatnonzero(np.diff(slot, append=-1) != 0)
        self._rows[slot[ends]] = np.stack((window[ends], requests[ends], summed[ends]), axis=1)
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return requests[back], summed[back]

    def _slots_of(self, accounts: Sequence[str]) -> Ints:
        try:
            return np.fromiter(map(self._slots.__getitem__, accounts), np.int64, len(accounts))
        except KeyError:
            return self._with_newcomers(accounts)

    def _with_newcomers(self, accounts: Sequence[str]) -> Ints:
        for account in accounts:
            if account not in self._slots:
                self._slots[account] = len(self._names)
                self._names.append(account)
        if len(self._names) > len(self._rows):
            pages = 2 * len(self._names) // PAGE
            self._rows = np.concatenate((self._rows, np.full((pages * PAGE, WIDTH), -1, np.int64)))
            self._touched = np.concatenate((self._touched, np.zeros(pages, np.bool_)))
        return self._slots_of(accounts)

    def take_touched(self) -> dict[bytes, bytes]:
        """The pages with a window that has changed since the last call, by page number."""
        numbers = np.flatnonzero(self._touched).tolist()
        self._touched[:] = False
        return {_NUMBER.pack(number): self._page(number) for number in numbers}

    def dump(self) -> dict[bytes, bytes]:
        """Every page."""
        return {_NUMBER.pack(number): self._page(number) for number in range(-(-len(self._names) // PAGE))}

    def load(self, pages: Mapping[bytes, bytes]) -> None:
        """Take over what `dump` or all of `take_touched` together gave."""
        for number in sorted(pages):
            names, rows = _decode_page(pages[number])
            slots = self._slots_of(names)  # may replace the array
            self._rows[slots] = np.frombuffer(rows, "<i8").reshape(-1, WIDTH)

    def _page(self, number: int) -> bytes:
        names = self._names[number * PAGE : (number + 1) * PAGE]
        rows = self._rows[number * PAGE :][: len(names)]
        return msgspec.msgpack.encode((names, rows.astype("<i8").tobytes()))
