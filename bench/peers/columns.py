"""Windows of many accounts as columns: a whole fetch is folded at once, and every event learns what its window held."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
WIDTH = 3
"""Window number, requests, tokens."""
FIRST_SLOTS = 1_024
ROW_BYTES = WIDTH * 8


class Windows:
    """Account → its last window, requests and tokens in it."""

    def __init__(self) -> None:
        self._slots: dict[str, int] = {}
        self._rows: Ints = np.full((FIRST_SLOTS, WIDTH), -1, np.int64)

    def fold(self, accounts: Sequence[str], windows: Ints, tokens: Ints) -> tuple[Ints, Ints]:
        """Requests and tokens of each event's window just after it; a window other than the account's last begins at 0.

        Sorted by account, stably, an account's events are runs of one window each; within a run both figures are
        running sums, and only the first run of an account may go on where its last window stood.
        """
        slots = self._slots_of(accounts)
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
        known = self._slots
        slots = list(map(known.get, accounts))
        if None in slots:
            slots = [known.setdefault(account, len(known)) for account in accounts]
            if len(known) > len(self._rows):
                more = np.full((2 * len(known) - len(self._rows), WIDTH), -1, np.int64)
                self._rows = np.concatenate((self._rows, more))
        return np.array(slots, np.int64)

    def dump(self, accounts: Iterable[str]) -> dict[str, bytes]:
        """The rows of these accounts, each as bytes."""
        names = list(accounts)
        data = self._rows[self._slots_of(names)].astype("<i8").tobytes()
        return {name: data[at * ROW_BYTES : (at + 1) * ROW_BYTES] for at, name in enumerate(names)}

    def load(self, rows: Mapping[str, bytes]) -> None:
        """Take over dumped rows."""
        slots = self._slots_of(list(rows))
        self._rows[slots] = np.frombuffer(b"".join(rows.values()), "<i8").reshape(-1, WIDTH)

    def accounts(self) -> Iterable[str]:
        """Every account."""
        return self._slots
