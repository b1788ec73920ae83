"""The group agent's core: groups of accounts against their own past, and against what their members show themselves.

A group is what accounts share: an autonomous system, a network, a payment instrument, a client, a template, a topic
cell. At the end of each group window its detectors (`detectors.groups`) read how unusual the group is. Unusual groups
are innocent every day: classes, conferences, offices, new customers. So an unusual group is only *watched*, for as long
as a past is long, and alerted when its members' own evidence says the same:

    of n members with enough requests, k have evidence of harvesting that an innocent account ever reaches with
    probability 0.05 (Ville's inequality, `evidence`); -ln P(X >= k), X binomial(n, max(0.05, the population's share)),
    must pass the false-positive budget and a Bonferroni correction for the number of groups ever watched.

A pane of the group is closed when every source partition has closed it, so the result does not depend on how the
partitions' messages interleave. A source that lags behind by more than `source_silence_seconds` is passed over; what
it says later is folded into the oldest open pane and counted. Contributions are set, not added: a redelivered one
replaces itself. Groups are bounded: those not seen for longest go first, of these the smallest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter

import msgspec
from stillwatch_schemas.errors import StateError
from stillwatch_schemas.findings import Activity, Finding
from stillwatch_schemas.signals import Contribution, PaneClosed, Signal

from stillwatch_models import distinct, evidence
from stillwatch_models.config import EngineConfig
from stillwatch_models.detectors.groups import GROUP_DETECTORS, Reading, View, sign_up_batch
from stillwatch_models.detectors.groups.base import LEAST_NATS
from stillwatch_models.group_findings import Case, group_finding
from stillwatch_models.group_kinds import CROWDS, KINDS, SHARED
from stillwatch_models.group_state import (
    EXAMPLES,
    Anomaly,
    GroupState,
    Member,
    Named,
    Now,
    Population,
    content_nats,
    refresh,
    remember,
)
from stillwatch_models.panes import UNSEEN
from stillwatch_models.shard import Batch, Checkpoint, Outputs

KEEP_SHARE = 0.95
"""Of the allowed groups, so many stay when some must go: making room costs a sort."""

DATED = sign_up_batch.DETECTOR.kinds
"""Kinds whose members' days of creation are asked for."""

GROUP_ROW, CLOCK_ROW = b"g:", b"m:clock"
GROUP_VERSION = 2
"""Changes with the layout of the rows."""

Waiting = dict[tuple[str, int, int], tuple[int, Contribution]]
"""By (group, source, pane of its own): a contribution and its offset."""


class GroupClock(msgspec.Struct):
    """The small part of the state."""

    next_offset: int
    closed_pane: int
    progress: dict[int, int]
    measures: dict[str, float] = {}
    """What the numbers of panes and windows are counted in; see `config.MEASURES`."""
    first_pane: int = UNSEEN
    population: Population = msgspec.field(default_factory=Population)
    counters: dict[str, int] = {}
    version: int = 1


class GroupEngine:
    """One partition of the signals topic. Items: `Contribution` or `PaneClosed`."""

    def __init__(self, config: EngineConfig, partition: int, sources: int) -> None:
        self.config = config
        self.partition = partition
        self.pane_ms = round(config.pane_seconds * 1000)
        self.counters = {"contributions": 0, "late": 0, "evicted": 0, "watched": 0}
        self._window_panes = max(1, round(config.group_window_seconds / config.pane_seconds))
        self._silence_panes = round(config.source_silence_seconds / config.pane_seconds)
        self._history = config.group_history_windows
        self._budget_nats = evidence.threshold(config.budget_per_10k_account_days)
        self._hash = config.hash()
        self._detectors = {kind: tuple(d for d in GROUP_DETECTORS if kind in d.kinds) for kind in KINDS}
        self._muted = frozenset(config.disabled_signals)
        self._groups: dict[str, GroupState] = {}
        self._population = Population()
        self._progress: dict[int, int] = dict.fromkeys(range(sources), UNSEEN)
        self._first_pane = UNSEEN
        self._waiting: dict[int, Waiting] = {}
        """By pane."""
        self._touched: set[str] = set()
        """Groups with a window under way, or with an incident."""
        self._closed_pane = self._window = UNSEEN
        """Panes up to the one are closed, windows before the other have ended."""
        self._next_offset = 0
        self._checkpointed = -1
        self._dirty: set[str] = set()

    def process(self, batch: Batch[Signal]) -> Outputs:
        """Take contributions; panes that every source has closed are counted."""
        for item, offset in zip(batch.items, batch.offsets, strict=True):
            self._first_pane = item.pane if self._first_pane == UNSEEN else min(self._first_pane, item.pane)
            if isinstance(item, PaneClosed):
                self._progress[item.source] = max(self._progress.get(item.source, UNSEEN), item.pane)
            elif _is_counted(item.group):
                self._take(item, offset)
        self._next_offset = max(self._next_offset, batch.next_offset)
        return self._close(self._released())

    def finish(self) -> Outputs:
        """Close every pane that has contributions: the end of a finite input."""
        return self._close(max(self._waiting, default=self._closed_pane))

    def expire(self, now_ms: int) -> Outputs:  # noqa: ARG002 - part of the shard protocol; groups age by event time
        """Nothing here runs out by the clock."""
        return Outputs()

    def gauges(self) -> dict[str, int]:
        """What is counted, and what there is now."""
        front = max(self._progress.values())
        silent = sum(pane < front - self._silence_panes for pane in self._progress.values())
        return {**self.counters, "groups": len(self._groups), "silent_sources": silent}

    def _take(self, item: Contribution, offset: int) -> None:
        """Let a contribution wait for its pane. In a closed pane it is a redelivery, or its source was passed over."""
        pane = item.pane
        if pane <= self._closed_pane:
            if pane <= self._progress.get(item.source, UNSEEN):
                return
            self.counters["late"] += 1
            pane = self._closed_pane + 1
        self._waiting.setdefault(pane, {})[item.group, item.source, item.pane] = (offset, item)

    def _released(self) -> int:
        """The last pane that nobody holds: sources that lag too far behind the first are not waited for."""
        front = max(self._progress.values())
        if front == UNSEEN:
            return UNSEEN
        lowest = front - self._silence_panes
        if self._first_pane > lowest:
            return min(self._progress.values())
        return min(max(pane, lowest) for pane in self._progress.values())

    # -- a pane's end --------------------------------------------------------------------------------------------

    def _close(self, last_pane: int) -> Outputs:
        out = Outputs()
        for pane in sorted(pane for pane in self._waiting if pane <= last_pane):
            self._finish_windows(pane // self._window_panes, out)
            self._population.advance(pane // self._window_panes, self._history)
            contributions = self._waiting.pop(pane)
            for group, keys in groupby(sorted(contributions), key=itemgetter(0)):
                self._count(group, pane // self._window_panes, [contributions[key][1] for key in keys])
        if last_pane > self._closed_pane:
            self._closed_pane = last_pane
            self._finish_windows((last_pane + 1) // self._window_panes, out)
        return out

    def _count(self, group: str, window: int, shares: list[Contribution]) -> None:
        kind = group.partition(":")[0]
        around = self._population.of(kind)
        state = self._groups.get(group)
        if state is None:
            state = self._groups[group] = GroupState(window=window, before=[])
        now = state.now
        now.window = window
        for share in shares:
            self.counters["contributions"] += 1
            now.arrivals += share.new_accounts
            now.accounts += share.accounts_total
            now.events += share.events
            now.fresh += share.fresh_accounts
            now.together += share.together
            now.expected += share.together_expected
            if len(now.examples) < EXAMPLES:
                now.examples = [*now.examples, *share.event_ids][:EXAMPLES]
            self._meet(state, share)
            self._population.hear(share.source, share.accounts_so_far)
            around.together += share.together
            around.expected += share.together_expected
        self._touched.add(group)
        self._dirty.add(group)

    def _meet(self, state: GroupState, share: Contribution) -> None:
        """Note who was there."""
        state.now.meet(Named(share.accounts, share.weights, share.evidence, share.created))
        births = self._population.births
        for day in share.created:
            if day:
                births[day] = births.get(day, 0) + 1
        if share.distinct:
            state.distinct = distinct.merged(state.distinct, share.distinct)

    # -- a window's end ------------------------------------------------------------------------------------------

    def _finish_windows(self, window: int, out: Outputs) -> None:
        """End every window before `window`, the earliest first, so that one long step equals many short ones."""
        if window <= self._window:
            return
        self._window = window
        while behind := sorted((self._open_window(g), g) for g in self._touched if self._open_window(g) < window):
            earliest = behind[0][0]
            for group in (group for at, group in behind if at == earliest):
                self._finish_window(group, self._groups[group], earliest, out)
            self._make_room()

    def _open_window(self, group: str) -> int:
        """The window under way; after a silence the one with contributions, where there is no incident to close."""
        state = self._groups[group]
        return state.now.window if state.now.accounts and not state.incident_pane else state.window

    def _finish_window(self, group: str, state: GroupState, window: int, out: Outputs) -> None:
        kind = group.partition(":")[0]
        now, silence = state.now, window - state.window
        if now.accounts:
            members = now.members(window) if state.members or kind not in CROWDS else {}
            self._settle_members(kind, state, members)
            self._read(kind, state, members, silence, window)
            if kind in SHARED:
                state.before = sorted(members) if len(members) == now.accounts else None
            state.events += now.events
        elif kind in SHARED:
            state.before = []
        if state.anomaly is not None:
            self._weigh(group, state, window, out)
        state.window, state.now = window + 1, Now()
        self._dirty.add(group)
        if not state.incident_pane:
            self._touched.discard(group)

    def _settle_members(self, kind: str, state: GroupState, seen: dict[str, Member]) -> None:
        if kind in CROWDS:
            refresh(state, seen)
            return
        newcomers = seen.keys() - state.members.keys()  # members are in the sketch already
        if newcomers:
            state.distinct = distinct.sketch_of(sorted(newcomers), state.distinct)
        state.size = distinct.size_of(state.distinct)
        self._population.count(seen.values(), 1)
        self._population.count(remember(state, seen), -1)

    def _read(self, kind: str, state: GroupState, members: dict[str, Member], silence: int, window: int) -> None:
        """Move every detector on; the strongest unusual reading is remembered."""
        now = state.now
        view = View(
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
            silence=silence,
            size=state.size,
            created=self._created(state, window) if kind in DATED and (now.fresh or now.arrivals) else (),
            births=self._population.births,
            around=self._population.of(kind),
            newcomers=self._population.newcomers,
            known=sum(self._population.sources.values()),
            windows=self._population.windows,
            history=self._history,
        )
        readings = []
        for detector in self._detectors[kind]:
            state.kept[detector.name], reading = detector.step(state.kept.get(detector.name, ()), view)
            if reading.nats >= LEAST_NATS and detector.name not in self._muted:
                readings.append((reading.nats, detector.name, reading))
        if readings:
            _, name, strongest = max(readings, key=itemgetter(0, 1))
            self._watch(kind, state, window, name, strongest)

    def _watch(self, kind: str, state: GroupState, window: int, name: str, reading: Reading) -> None:
        old = state.anomaly
        fresh = old is None or window - old.window > self._history
        if fresh:
            self.counters["watched"] += 1
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

    def _weigh(self, group: str, state: GroupState, window: int, out: Outputs) -> None:
        """Open an incident where an unusual group's members speak for it; close it after a quiet past."""
        anomaly = state.anomaly
        if anomaly is None:
            return
        state.exchanges += state.now.events
        if window - anomaly.window > self._history:
            if state.incident_pane:
                out.findings.append(self._finding(group, state, "close", window))
            self._forget_anomaly(group, state)
        elif not state.incident_pane and self._judged(state, window)[0] >= self._threshold():
            state.incident_pane = (window + 1) * self._window_panes - 1
            state.incident_kind = f"{group.partition(':')[0]}_{anomaly.signal}"
            out.findings.append(self._finding(group, state, "create", window))

    def _forget_anomaly(self, group: str, state: GroupState) -> None:
        state.anomaly, state.incident_pane, state.incident_kind, state.exchanges = None, 0, "", 0
        if group.partition(":")[0] in CROWDS:
            state.members, state.hitters = {}, b""

    def _judged(self, state: GroupState, window: int) -> tuple[float, int, int]:
        cohort = self._cohort(state, window)
        return content_nats([m.nats for m in cohort.values()], self._population.suspect_share())

    def _threshold(self) -> float:
        return self._budget_nats + math.log(max(1, self.counters["watched"]))

    def _finding(self, group: str, state: GroupState, activity: Activity, window: int) -> Finding:
        nats, suspects, judged = self._judged(state, window)
        case = Case(
            group=group,
            state=state,
            members=tuple(sorted(self._cohort(state, window))),
            content_nats=nats,
            suspects=suspects,
            judged=judged,
            share=self._population.suspect_share(),
            threshold=self._threshold(),
            pane=(window + 1) * self._window_panes - 1,
            pane_ms=self.pane_ms,
            window_panes=self._window_panes,
        )
        return group_finding(case, activity, self._hash, self.partition)

    def _make_room(self) -> None:
        """Forget the groups that were not seen for longest, of these the smallest, where there are too many."""
        if len(self._groups) <= self.config.max_groups:
            return
        idle = sorted((s.window, s.events, g) for g, s in self._groups.items() if g not in self._touched)
        for _, _, group in idle[: len(self._groups) - int(KEEP_SHARE * self.config.max_groups)]:
            state = self._groups.pop(group)
            self._population.count(() if group.partition(":")[0] in CROWDS else state.members.values(), -1)
            self._dirty.add(group)
            self.counters["evicted"] += 1

    # -- putting down and picking up -----------------------------------------------------------------------------

    def checkpoint(self) -> Checkpoint | None:
        """Groups touched since the last checkpoint and the offset of the first contribution still waiting."""
        offset = self._resume_from()
        if not self._dirty and offset <= self._checkpointed:
            return None
        rows = {GROUP_ROW + group.encode(): self._row(group) for group in sorted(self._dirty)}
        rows[CLOCK_ROW] = self._clock_row()
        self._dirty.clear()
        self._checkpointed = offset
        return Checkpoint(rows=rows, next_offset=offset)

    def snapshot(self) -> dict[bytes, bytes]:
        """Every row, in key order."""
        rows = {GROUP_ROW + group.encode(): msgspec.json.encode(state) for group, state in sorted(self._groups.items())}
        return {**rows, CLOCK_ROW: self._clock_row()}

    def restore(self, rows: Mapping[bytes, bytes]) -> int:
        """Take over the rows of a snapshot; returns the offset to read from."""
        clock = msgspec.json.decode(rows[CLOCK_ROW], type=GroupClock)
        if clock.version != GROUP_VERSION:
            raise StateError(
                f"the groups' checkpoint of partition {self.partition} has state version {clock.version}, this build "
                f"reads {GROUP_VERSION}: run the version that wrote it, or start afresh with --reset-state"
            )
        self.config.refuse_other_measures(clock.measures, self.partition)
        self._next_offset = self._checkpointed = clock.next_offset
        self._closed_pane, self._first_pane = clock.closed_pane, clock.first_pane
        self._population = clock.population
        self.counters.update(clock.counters)
        self._progress.update(clock.progress)
        for key, row in rows.items():
            if key.startswith(GROUP_ROW):
                group = key[len(GROUP_ROW) :].decode()
                state = self._groups[group] = msgspec.json.decode(row, type=GroupState)
                if state.now.accounts or state.incident_pane:
                    self._touched.add(group)
        return clock.next_offset

    def _resume_from(self) -> int:
        waiting = (offset for pane in self._waiting.values() for offset, _ in pane.values())
        return min(waiting, default=self._next_offset)

    def _row(self, group: str) -> bytes | None:
        state = self._groups.get(group)
        return None if state is None else msgspec.json.encode(state)

    def _clock_row(self) -> bytes:
        clock = GroupClock(
            next_offset=self._resume_from(),
            closed_pane=self._closed_pane,
            progress=self._progress,
            measures=self.config.measures(),
            first_pane=self._first_pane,
            population=self._population,
            counters=self.counters,
            version=GROUP_VERSION,
        )
        return msgspec.json.encode(clock)


def _is_counted(group: str) -> bool:
    """A newer account agent may already send other kinds, which are passed over."""
    kind, _, name = group.partition(":")
    return kind in KINDS and bool(name)
