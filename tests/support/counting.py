"""A small real shard: counts requests per account in event-time panes and raises a finding at every 20th.

As the engines do, it changes state only when a pane closes, so its checkpoint's offset lies behind the read position.
It takes events in order of time (no lateness), and ends its process on the account named `bomb`.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping
from typing import Any

from stillwatch_models.shard import Batch, Checkpoint, Outputs
from stillwatch_schemas.events import Heartbeat, RequestEvent
from stillwatch_schemas.findings import Finding
from support.builders import make_finding

EVERY = 20
PANE_MS = 1_000
BOMB = "bomb"
_CLOCK = b"clock"
_ACCOUNT = b"a:"


class CountingShard:
    """See the module."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.counts: Counter[str] = Counter()
        self._open: list[tuple[int, int, str]] = []
        self._closed_before = 0
        self._next_offset = 0
        self._dirty: set[str] = set()
        self._written = -1

    def process(self, batch: Batch[Any]) -> Outputs:
        out = Outputs()
        for item, offset in zip(batch.items, batch.offsets, strict=True):
            self._close_before(item.ts // PANE_MS, out)
            if isinstance(item, Heartbeat) or item.ts // PANE_MS < self._closed_before:
                continue
            if isinstance(item, RequestEvent) and item.account_id == BOMB:
                raise RuntimeError("this account ends the worker")
            self._open.append((offset, item.ts // PANE_MS, item.account_id))
        self._next_offset = max(self._next_offset, batch.next_offset)
        return out

    def finish(self) -> Outputs:
        out = Outputs()
        self._close_before(1 << 60, out)
        return out

    def expire(self, now_ms: int) -> Outputs:  # noqa: ARG002 - part of the shard protocol
        return Outputs()

    def _close_before(self, pane: int, out: Outputs) -> None:
        if pane <= self._closed_before:
            return
        self._closed_before = pane
        for _, _, account in self._open:
            self.counts[account] += 1
            self._dirty.add(account)
            if self.counts[account] % EVERY == 0:
                out.findings.append(self._finding(account, pane))
        self._open.clear()

    def _finding(self, account: str, pane: int) -> Finding:
        number = self.counts[account] // EVERY
        return make_finding(
            uid=f"inc-{account}",
            alert_uid=f"alert-{account}-{number}",
            subject=account,
            time_ms=pane * PANE_MS,
            exchanges=self.counts[account],
            shard=self.partition,
        )

    def _resume_from(self) -> int:
        return self._open[0][0] if self._open else self._next_offset

    def checkpoint(self) -> Checkpoint | None:
        offset = self._resume_from()
        if offset <= self._written and not self._dirty:
            return None
        rows: dict[bytes, bytes | None] = {_ACCOUNT + name.encode(): self._row(name) for name in self._dirty}
        rows[_CLOCK] = struct.pack(">qq", offset, self._closed_before)
        self._dirty.clear()
        self._written = offset
        return Checkpoint(rows=rows, next_offset=offset)

    def snapshot(self) -> dict[bytes, bytes]:
        rows = {_ACCOUNT + name.encode(): self._row(name) for name in sorted(self.counts)}
        return {**rows, _CLOCK: struct.pack(">qq", self._resume_from(), self._closed_before)}

    def restore(self, rows: Mapping[bytes, bytes]) -> int:
        self._next_offset, self._closed_before = struct.unpack(">qq", rows[_CLOCK])
        self._written = self._next_offset
        for key, row in rows.items():
            if key.startswith(_ACCOUNT):
                self.counts[key[len(_ACCOUNT) :].decode()] = struct.unpack(">q", row)[0]
        return self._next_offset

    def _row(self, name: str) -> bytes:
        return struct.pack(">q", self.counts[name])
