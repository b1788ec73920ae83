"""The hard ceiling: an immediate rule that does not wait for a pane to close.

An account that passes the ceiling inside one pane is reported with the very event that passes it, once a day. Counts
are kept for open panes only, which are read again after a restart, so nothing of it needs a checkpoint but the day of
the last report, which goes into the account's row when the pane closes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from stillwatch_schemas.events import RequestEvent
from stillwatch_schemas.findings import Evidence, Finding

from stillwatch_models.accounts import AccountTable
from stillwatch_models.columns import Events
from stillwatch_models.config import EngineConfig
from stillwatch_models.fold import Cells
from stillwatch_models.incidents import HARD_CEILING, Header, finding

MS_PER_DAY = 86_400_000
TIER = 2
"""`high`: a plain fact, but benign batch jobs do it too."""


class CeilingRule:
    """Requests of each account in each open pane, against the ceiling."""

    def __init__(self, config: EngineConfig, config_hash: str, partition: int) -> None:
        self.pane_ms = round(config.pane_seconds * 1000)
        self.limit = max(2, math.ceil(config.hard_ceiling_per_minute * config.pane_seconds / 60.0))
        self._per_minute = config.hard_ceiling_per_minute
        self._config_hash = config_hash
        self._partition = partition
        self._counts: dict[tuple[int, int], int] = {}
        self._days: dict[int, int] = {}

    def check(
        self, events: Events, requests: Sequence[RequestEvent], table: AccountTable
    ) -> Iterator[tuple[int, Finding]]:
        """Count waiting events; yields (position in `events`, finding) where an account passes the ceiling."""
        passed = sorted(self._passing(events))
        for position in passed:
            slot, pane = int(events["row"][position]), int(events["pane"][position])
            day = pane * self.pane_ms // MS_PER_DAY
            if self._days.get(slot, int(table.rows["ceiling_day"][slot])) != day:
                self._days[slot] = day
                yield position, self._finding(table, slot, pane, requests[position])

    def _passing(self, events: Events) -> Iterator[int]:
        cell = np.stack([events["row"], events["pane"]], axis=1)
        order = np.lexsort((np.arange(len(events)), events["pane"], events["row"]))
        starts = np.flatnonzero(np.any(np.diff(cell[order], axis=0, prepend=-1), axis=1))
        counts = np.diff(np.append(starts, len(events)))
        for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
            key = (int(events["row"][order[start]]), int(events["pane"][order[start]]))
            before = self._counts.get(key, 0)
            self._counts[key] = before + count
            if before < self.limit <= before + count:
                yield int(order[start + self.limit - before - 1])

    def _finding(self, table: AccountTable, slot: int, pane: int, request: RequestEvent) -> Finding:
        header = Header(
            subject_kind="account",
            subject=request.account_id,
            kind=HARD_CEILING,
            first_pane=pane,
            activity="create",
            pane=pane,
            pane_ms=self.pane_ms,
            config_hash=self._config_hash,
        )
        seconds = self.pane_ms / 1000
        evidence = Evidence(
            signal=HARD_CEILING,
            statement=f"{self.limit} requests within {seconds:g} s; the ceiling is {self._per_minute} a minute",
            observed=float(self.limit),
            baseline=float(self.limit),
            percentile=100.0,
            unit="requests",
            horizon=f"{seconds:g} s pane",
            p_value=0.0,
            weight=0.0,
            event_ids=(request.event_id,),
        )
        return finding(
            header,
            tier=TIER,
            evidence_nats=1.5,
            threshold=1.0,
            evidence=[evidence],
            time_ms=request.ts,
            first_seen_ms=request.ts,
            last_seen_ms=request.ts,
            exchanges=int(table.rows["events"][slot]) + self.limit,
            asn=request.client_asn,
            org_id=request.org_id,
            api_key_id=request.api_key_id,
            shard=self._partition,
            shard_accounts=table.live,
        )

    def settle(self, table: AccountTable, cells: Cells) -> None:
        """A pane has closed: write the day of the report into the rows of accounts that passed the ceiling."""
        for cell in np.flatnonzero(cells.count >= self.limit).tolist():
            slot, pane = cells.slot[cell], int(cells.pane[cell])
            table.rows["ceiling_day"][slot] = pane * self.pane_ms // MS_PER_DAY
            if table.rows["first_alert_ms"][slot] == 0:
                table.rows["first_alert_ms"][slot] = cells.events["ts"][cells.start[cell] + self.limit - 1]

    def forget(self, closed_before: int) -> None:
        """Counts of closed panes are not needed any more."""
        self._counts = {key: count for key, count in self._counts.items() if key[1] >= closed_before}
        live = {slot for slot, _ in self._counts}
        self._days = {slot: day for slot, day in self._days.items() if slot in live}
