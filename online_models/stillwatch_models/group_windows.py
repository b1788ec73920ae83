"""A group window's end: the detectors read how unusual it was, and unusual groups are weighed by their members.

Unusual groups are innocent every day: classes, conferences, offices, new customers. So an unusual group is only
*watched*, for as long as a past is long, and alerted when its members' own evidence says the same:

    of n members with enough requests, k have evidence of harvesting that an innocent account ever reaches with
    probability 0.05 (Ville's inequality, `evidence`); -ln P(X >= k), X binomial(n, max(0.05, the population's share)),
    must pass the false-positive budget and a Bonferroni correction for the number of groups ever watched.
"""

from __future__ import annotations

import math
from operator import itemgetter

from stillwatch_schemas.findings import Activity, Finding

from stillwatch_models import distinct, evidence
from stillwatch_models.config import EngineConfig
from stillwatch_models.detectors.groups import GROUP_DETECTORS, Reading, View, sign_up_batch
from stillwatch_models.detectors.groups.base import LEAST_NATS
from stillwatch_models.group_findings import Case, group_finding
from stillwatch_models.group_kinds import CROWDS, KINDS, SHARED
from stillwatch_models.group_state import (
    Anomaly,
    GroupState,
    Member,
    Now,
    content_nats,
    refresh,
    remember,
)
from stillwatch_models.group_table import GroupTable

DATED = sign_up_batch.DETECTOR.kinds
"""Kinds whose members' days of creation are asked for."""


class WindowEnds:
    """Ends the windows of a table's groups, one after the other."""

    def __init__(self, config: EngineConfig, table: GroupTable, counters: dict[str, int], shard: int) -> None:
        self._table = table
        self._counters = counters
        self._shard = shard
        self._pane_ms = round(config.pane_seconds * 1000)
        self._window_panes = max(1, round(config.group_window_seconds / config.pane_seconds))
        self._history = config.group_history_windows
        self._budget_nats = evidence.threshold(config.budget_per_10k_account_days)
        self._hash = config.hash()
        self._detectors = {kind: tuple(d for d in GROUP_DETECTORS if kind in d.kinds) for kind in KINDS}
        self._muted = frozenset(config.disabled_signals)

    def end(self, group: str, window: int) -> Finding | None:
        """End a group's window; what is to be said of it."""
        kind, state = group.partition(":")[0], self._table[group]
        now = state.now
        if now.accounts:
            members = now.members(window) if state.members or kind not in CROWDS else {}
            self._settle_members(kind, state, members)
            self._read(kind, state, members, window)
            if kind in SHARED:
                state.before = sorted(members) if len(members) == now.accounts else None
            state.events += now.events
        elif kind in SHARED:
            state.before = []
        found = self._weigh(group, state, window) if state.anomaly is not None else None
        state.window, state.now = window + 1, Now()
        return found

    def _settle_members(self, kind: str, state: GroupState, seen: dict[str, Member]) -> None:
        if kind in CROWDS:
            refresh(state, seen)
            return
        newcomers = seen.keys() - state.members.keys()  # members are in the sketch already
        if newcomers:
            state.distinct = distinct.sketch_of(sorted(newcomers), state.distinct)
        state.size = distinct.size_of(state.distinct)
        self._table.population.count(seen.values(), 1)
        self._table.population.count(remember(state, seen), -1)

    # -- how unusual the window was ------------------------------------------------------------------------------

    def _read(self, kind: str, state: GroupState, members: dict[str, Member], window: int) -> None:
        """Move every detector on; the strongest unusual reading is remembered."""
        view = self._view(kind, state, members, window)
        readings = []
        for detector in self._detectors[kind]:
            state.kept[detector.name], reading = detector.step(state.kept.get(detector.name, ()), view)
            if reading.nats >= LEAST_NATS and detector.name not in self._muted:
                readings.append((reading.nats, detector.name, reading))
        if readings:
            _, name, strongest = max(readings, key=itemgetter(0, 1))
            self._watch(kind, state, window, name, strongest)

    def _view(self, kind: str, state: GroupState, members: dict[str, Member], window: int) -> View:
        now, population = state.now, self._table.population
        return View(
            kind=kind,
            arrivals=now.arrivals,
            accounts=now.accounts,
            events=now.events,
            fresh=now.fresh,
            together=now.together,
            expected=now.expected,
            active=members.keys(),
            complete=len(members) == now.accounts,
            before=None if state.before is None else frozenset(state.before),
            silence=window - state.window,
            size=state.size,
            created=self._created(state, window) if kind in DATED and (now.fresh or now.arrivals) else (),
            births=population.births,
            around=population.of(kind),
            newcomers=population.newcomers,
            known=sum(population.sources.values()),
            windows=population.windows,
            history=self._history,
        )

    def _watch(self, kind: str, state: GroupState, window: int, name: str, reading: Reading) -> None:
        old = state.anomaly
        fresh = old is None or window - old.window > self._history
        if fresh:
            self._counters["watched"] += 1
            state.exchanges, state.examples = 0, list(state.now.examples)
        if kind in CROWDS:
            remember(state, state.now.members(window))
        first = window if fresh or old is None else old.first_window
        if fresh or old is None or reading.nats >= old.nats:
            state.anomaly = Anomaly(window, first, name, reading.nats, reading.observed, reading.baseline)
        else:
            old.window = window

    def _cohort(self, state: GroupState, window: int) -> dict[str, Member]:
        """Members seen within a past."""
        return {name: m for name, m in state.members.items() if window - m.window <= self._history}

    def _created(self, state: GroupState, window: int) -> list[int]:
        oldest = window - self._history
        return [m.created for m in state.members.values() if m.created and m.window >= oldest]

    # -- the gate: members' own evidence -------------------------------------------------------------------------

    def _weigh(self, group: str, state: GroupState, window: int) -> Finding | None:
        """Open an incident where an unusual group's members speak for it; close it after a quiet past."""
        anomaly = state.anomaly
        if anomaly is None:
            return None
        found: Finding | None = None
        state.exchanges += state.now.events
        if window - anomaly.window > self._history:
            if state.incident_pane:
                found = self._finding(group, state, "close", window)
            self._forget_anomaly(group, state)
        elif not state.incident_pane and self._judged(state, window)[0] >= self._threshold():
            state.incident_pane = (window + 1) * self._window_panes - 1
            state.incident_kind = f"{group.partition(':')[0]}_{anomaly.signal}"
            found = self._finding(group, state, "create", window)
        return found

    @staticmethod
    def _forget_anomaly(group: str, state: GroupState) -> None:
        state.anomaly, state.incident_pane, state.incident_kind, state.exchanges = None, 0, "", 0
        if group.partition(":")[0] in CROWDS:
            state.members, state.hitters = {}, b""

    def _judged(self, state: GroupState, window: int) -> tuple[float, int, int]:
        cohort = self._cohort(state, window)
        return content_nats([m.nats for m in cohort.values()], self._table.population.suspect_share())

    def _threshold(self) -> float:
        return self._budget_nats + math.log(max(1, self._counters["watched"]))

    def _finding(self, group: str, state: GroupState, activity: Activity, window: int) -> Finding:
        nats, suspects, judged = self._judged(state, window)
        case = Case(
            group=group,
            state=state,
            members=tuple(sorted(self._cohort(state, window))),
            content_nats=nats,
            suspects=suspects,
            judged=judged,
            share=self._table.population.suspect_share(),
            threshold=self._threshold(),
            pane=(window + 1) * self._window_panes - 1,
            pane_ms=self._pane_ms,
            window_panes=self._window_panes,
        )
        return group_finding(case, activity, self._hash, self._shard)
