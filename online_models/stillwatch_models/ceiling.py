"""The hard ceiling: an immediate rule that does not wait for a pane to close.

An account that passes the ceiling inside one pane is reported with the very event that passes it, once a day. Whether
it does depends on the order of arrival and on nothing else, above all not on which panes happen to be closed already.
Counts are kept for open panes only, whose events are read again after a restart; what a checkpoint needs are the
reports of closed panes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.events import RequestEvent
from stillwatch_schemas.findings import Evidence, Finding

from stillwatch_models.accounts import AccountTable
from stillwatch_models.columns import Events, PackedRequest, Request
from stillwatch_models.config import EngineConfig
from stillwatch_models.incidents import HARD_CEILING, Header, finding

Int64s = NDArray[np.int64]
Counts = NDArray[np.int32]

MS_PER_DAY = 86_400_000
TIER = 2
"""`high`: a plain fact, but benign batch jobs do it too."""


class Report(msgspec.Struct, frozen=True, array_like=True):
    """The latest report about one account."""

    pane: int
    ts: int


class CeilingRule:
    """Requests of each account in each open pane, against the ceiling."""

    def __init__(self, config: EngineConfig, config_hash: str, partition: int) -> None:
        self.pane_ms = round(config.pane_seconds * 1000)
        self.limit = max(2, math.ceil(config.hard_ceiling_per_minute * config.pane_seconds / 60.0))
        self._per_minute = config.hard_ceiling_per_minute
        self._config_hash = config_hash
        self._disabled = HARD_CEILING in config.disabled_signals
        self._partition = partition
        self._counts: dict[int, Counts] = {}
        """By pane, then by the account's slot."""
        self._reports: dict[str, Report] = {}

    def check(self, events: Events, requests: Sequence[Request]) -> Iterator[tuple[int, Finding]]:
        """Count waiting events; yields (position in `events`, finding) where an account passes the ceiling."""
        if self._disabled:
            return
        for position in sorted(self._passing(events["row"], events["pane"])):
            request, pane = requests[position], int(events["pane"][position])
            known = self._reports.get(request.account_id)
            if known is None or self._day(known.pane) != self._day(pane):
                self._reports[request.account_id] = Report(pane, request.ts)
                event = request.unpacked() if isinstance(request, PackedRequest) else request
                yield position, self._finding(pane, event)

    def _passing(self, rows: Int64s, panes: Int64s) -> Iterator[int]:
        """Positions of the events with which an account reaches the limit in a pane."""
        order = np.argsort(panes, kind="stable")
        for at in np.split(order, np.flatnonzero(np.diff(panes[order])) + 1):
            own = rows[at]
            counts = self._counts_of(int(panes[at[0]]), int(own.max()) + 1)
            np.add.at(counts, own, 1)
            reached = np.flatnonzero(counts[own] >= self.limit)
            if len(reached):  # hardly ever
                yield from at[reached[self._crossing(own[reached], counts)]].tolist()

    def _counts_of(self, pane: int, slots: int) -> Counts:
        """Requests of each account in a pane, with room for so many accounts."""
        counts = self._counts.get(pane)
        if counts is None or len(counts) < slots:
            known = np.zeros(0, np.int32) if counts is None else counts
            counts = self._counts[pane] = np.zeros(2 * slots, np.int32)
            counts[: len(known)] = known
        return counts

    def _crossing(self, rows: Int64s, counts: Counts) -> NDArray[np.intp]:
        """Of all events that accounts at the limit have just sent, those that took them there."""
        order = np.argsort(rows, kind="stable")
        accounts, starts, sent = np.unique(rows[order], return_index=True, return_counts=True)
        before = counts[accounts] - sent
        crosses = before < self.limit
        return np.asarray(order[(starts + self.limit - before - 1)[crosses]])

    def _day(self, pane: int) -> int:
        return pane * self.pane_ms // MS_PER_DAY

    def _finding(self, pane: int, request: RequestEvent) -> Finding:
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
            exchanges=self.limit,
            asn=request.client_asn,
            org_id=request.org_id,
            api_key_id=request.api_key_id,
            shard=self._partition,
        )

    def settle(self, table: AccountTable, closed_before: int) -> None:
        """Panes have closed: note first alerts in the rows, forget counts and reports that can matter no more."""
        self._counts = {pane: counts for pane, counts in self._counts.items() if pane >= closed_before}
        for account, report in list(self._reports.items()):
            if report.pane < closed_before:
                table.note_alert(account, report.ts)
            if self._day(report.pane) < self._day(closed_before) - 1:
                del self._reports[account]

    def dump(self, closed_before: int) -> bytes:
        """Reports of closed panes; the others come again with their events."""
        closed = {account: report for account, report in self._reports.items() if report.pane < closed_before}
        return msgspec.json.encode(dict(sorted(closed.items())))

    def load(self, data: bytes) -> None:
        """Take over a dump."""
        self._reports = msgspec.json.decode(data, type=dict[str, Report])
