"""The group agent's core: arrivals of accounts in a group (an autonomous system) against the group's own past.

Hypothesis: a campaign brings many accounts at once into networks where they were not before. Counted are arrivals,
    that is accounts whose previous traffic came from elsewhere, in windows of 10 minutes.
Formula: tail probability of the window's arrivals under a negative binomial with the group's fading mean and variance
    (moments matched, variance at least the mean), that is the regularised incomplete beta function. A surge is reported
    once it is at least ten accounts and rarer than exp(-20).
Evades: arriving slowly; many networks. Benign look-alikes: a conference, a class, a VPN exit, a carrier's renumbering,
    which is why a surge alone asks the serving tier for nothing but to observe.

A pane of the group is closed when every source partition has closed it, so the result does not depend on how the
partitions' messages interleave. Contributions are set, not added: a redelivered one replaces itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter

import msgspec
from scipy.special import betainc
from stillwatch_schemas.findings import Activity, Evidence, Finding
from stillwatch_schemas.signals import Contribution, PaneClosed, Signal

from stillwatch_models.config import EngineConfig
from stillwatch_models.incidents import ASN_SURGE, Header, finding
from stillwatch_models.learners.baseline import FadingBaseline
from stillwatch_models.panes import UNSEEN
from stillwatch_models.shard import Batch, Checkpoint, Outputs

LEAST_ARRIVALS = 10
LEAST_NATS = 20.0
FADING_FACTOR = 0.02
"""Weight of the latest window: a memory of about 50 windows."""
QUIET_WINDOWS = 6
"""Windows without a surge that close an incident."""
LONGEST_SILENCE = 1_008
"""Empty windows learned at most when a group comes back: a week."""
MEMBERS = 64
EXAMPLES = 5

COUNTED = re.compile(r"asn:\d{1,10}")
"""Groups that are counted; a newer account agent may already send other kinds, which are passed over."""

GROUP_ROW, CLOCK_ROW = b"g:", b"m:clock"


class GroupState(msgspec.Struct):
    """What is known of one group."""

    window: int
    arrivals: int = 0
    """In the window under way."""
    events: int = 0
    exchanges: int = 0
    """Since the incident opened."""
    arrivals_baseline: tuple[float, ...] = ()
    incident_pane: int = 0
    quiet: int = 0
    members: list[str] = []
    examples: list[str] = []


class GroupClock(msgspec.Struct):
    """The small part of the state."""

    next_offset: int
    closed_pane: int
    progress: dict[int, int]
    measures: dict[str, float] = {}
    """What the numbers of panes and windows are counted in; see `config.MEASURES`."""


class GroupEngine:
    """One partition of the signals topic. Items: `Contribution` or `PaneClosed`."""

    def __init__(self, config: EngineConfig, partition: int, sources: int) -> None:
        self.config = config
        self.partition = partition
        self.pane_ms = round(config.pane_seconds * 1000)
        self._window_panes = max(1, round(config.group_window_seconds / config.pane_seconds))
        self._history = config.group_history_windows
        self._hash = config.hash()
        self._groups: dict[str, GroupState] = {}
        self._progress: dict[int, int] = dict.fromkeys(range(sources), UNSEEN)
        self._waiting: dict[int, dict[tuple[str, int], tuple[int, Contribution]]] = {}
        """By pane: contributions by (group, source), each with its offset."""
        self._touched: set[str] = set()
        """Groups with a window under way."""
        self._closed_pane = UNSEEN
        self._next_offset = 0
        self._checkpointed = -1
        self._dirty: set[str] = set()

    def process(self, batch: Batch[Signal]) -> Outputs:
        """Take contributions; panes that every source has closed are counted."""
        for item, offset in zip(batch.items, batch.offsets, strict=True):
            if isinstance(item, PaneClosed):
                self._progress[item.source] = max(self._progress.get(item.source, UNSEEN), item.pane)
            elif item.pane > self._closed_pane and COUNTED.fullmatch(item.group):
                self._waiting.setdefault(item.pane, {})[item.group, item.source] = (offset, item)
        self._next_offset = max(self._next_offset, batch.next_offset)
        return self._close(min(self._progress.values()))

    def finish(self) -> Outputs:
        """Close every pane that has contributions: the end of a finite input."""
        return self._close(max(self._waiting, default=self._closed_pane))

    def expire(self, now_ms: int) -> Outputs:  # noqa: ARG002 - part of the shard protocol; groups age by event time
        """Nothing here runs out by the clock."""
        return Outputs()

    # -- a pane's end --------------------------------------------------------------------------------------------

    def _close(self, last_pane: int) -> Outputs:
        out = Outputs()
        for pane in sorted(pane for pane in self._waiting if pane <= last_pane):
            self._finish_windows(pane // self._window_panes, out)
            contributions = self._waiting.pop(pane)
            for group, keys in groupby(sorted(contributions), key=itemgetter(0)):
                self._count(group, pane, [contributions[key][1] for key in keys], out)
        if last_pane > self._closed_pane:
            self._closed_pane = last_pane
            self._finish_windows((last_pane + 1) // self._window_panes, out)
        return out

    def _count(self, group: str, pane: int, shares: list[Contribution], out: Outputs) -> None:
        window = pane // self._window_panes
        state = self._groups.get(group)
        if state is None:
            state = self._groups[group] = GroupState(window=window)
        if state.window < window:
            self._learn_silence(state, window)
        state.arrivals += sum(share.new_accounts for share in shares)
        state.events += sum(share.events for share in shares)
        for share in shares:
            state.members = sorted({*state.members, *share.accounts})[:MEMBERS]
            state.examples = [*state.examples, *share.event_ids][:EXAMPLES]
        if state.incident_pane:
            state.exchanges += sum(share.events for share in shares)
        self._touched.add(group)
        self._dirty.add(group)
        if not state.incident_pane and self._nats(state) >= LEAST_NATS:
            state.incident_pane, state.exchanges = pane, state.events
            out.findings.append(self._finding(group, state, "create", pane))

    def _finish_windows(self, window: int, out: Outputs) -> None:
        """End every window before `window`, the earliest first, so that one long step equals many short ones."""
        while behind := sorted((self._groups[g].window, g) for g in self._touched if self._groups[g].window < window):
            for group in (group for at, group in behind if at == behind[0][0]):
                self._finish_window(group, self._groups[group], out)

    def _finish_window(self, group: str, state: GroupState, out: Outputs) -> None:
        """Learn a window that has ended; a surge does not teach the baseline it is measured against."""
        surges = self._nats(state) >= LEAST_NATS
        if not surges:
            self._learn(state, state.arrivals)
        self._settle_incident(group, state, surges, out)
        state.window += 1
        state.arrivals, state.events, state.members, state.examples = 0, 0, [], []
        self._dirty.add(group)
        if not state.incident_pane:
            self._touched.discard(group)

    def _settle_incident(self, group: str, state: GroupState, surges: bool, out: Outputs) -> None:
        if not state.incident_pane:
            return
        state.quiet = 0 if surges else state.quiet + 1
        if state.quiet >= QUIET_WINDOWS:
            pane = (state.window + 1) * self._window_panes - 1
            out.findings.append(self._finding(group, state, "close", pane))
            state.incident_pane = state.quiet = state.exchanges = 0

    def _learn_silence(self, state: GroupState, window: int) -> None:
        for _ in range(min(window - state.window, LONGEST_SILENCE)):
            self._learn(state, 0)
        state.window = window

    @staticmethod
    def _learn(state: GroupState, arrivals: int) -> None:
        baseline = FadingBaseline(FADING_FACTOR, state.arrivals_baseline)
        baseline.update(float(arrivals))
        state.arrivals_baseline = baseline.dump()

    def _nats(self, state: GroupState) -> float:
        """-ln of the tail probability of the window's arrivals; 0 while the group's past is too short."""
        if state.arrivals < LEAST_ARRIVALS:
            return 0.0
        baseline = FadingBaseline(FADING_FACTOR, state.arrivals_baseline)
        if baseline.count < self._history:
            return 0.0
        return tail_nats(state.arrivals, baseline.mean, baseline.variance)

    def _finding(self, group: str, state: GroupState, activity: Activity, pane: int) -> Finding:
        baseline = FadingBaseline(FADING_FACTOR, state.arrivals_baseline)
        nats = self._nats(state)
        asn = int(group.removeprefix("asn:"))
        evidence = Evidence(
            signal=ASN_SURGE,
            statement=f"{state.arrivals} accounts arrived in AS{asn} within one window; {baseline.mean:.2f} are usual",
            observed=float(state.arrivals),
            baseline=baseline.mean,
            percentile=100.0 * (1.0 - math.exp(-nats)),
            unit="accounts",
            horizon=f"{self._window_panes * self.pane_ms / 1000:g} s window",
            p_value=math.exp(-nats),
            weight=nats,
            event_ids=tuple(state.examples),
        )
        header = Header(
            subject_kind="asn",
            subject=str(asn),
            kind=ASN_SURGE,
            first_pane=state.incident_pane,
            activity=activity,
            pane=pane,
            pane_ms=self.pane_ms,
            config_hash=self._hash,
        )
        return finding(
            header,
            tier=1,
            evidence_nats=nats,
            threshold=LEAST_NATS,
            evidence=[evidence],
            exchanges=state.exchanges,
            members=tuple(state.members),
            asn=asn,
            shard=self.partition,
        )

    # -- putting down and picking up -----------------------------------------------------------------------------

    def checkpoint(self) -> Checkpoint | None:
        """Groups touched since the last checkpoint and the offset of the first contribution still waiting."""
        offset = self._resume_from()
        if not self._dirty and offset <= self._checkpointed:
            return None
        rows: dict[bytes, bytes | None] = {
            GROUP_ROW + group.encode(): msgspec.json.encode(self._groups[group]) for group in sorted(self._dirty)
        }
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
        self.config.refuse_other_measures(clock.measures, self.partition)
        self._next_offset = self._checkpointed = clock.next_offset
        self._closed_pane = clock.closed_pane
        self._progress.update(clock.progress)
        for key, row in rows.items():
            if key.startswith(GROUP_ROW):
                group = key[len(GROUP_ROW) :].decode()
                state = self._groups[group] = msgspec.json.decode(row, type=GroupState)
                if state.arrivals or state.events or state.incident_pane:
                    self._touched.add(group)
        return clock.next_offset

    def _resume_from(self) -> int:
        waiting = (offset for pane in self._waiting.values() for offset, _ in pane.values())
        return min(waiting, default=self._next_offset)

    def _clock_row(self) -> bytes:
        clock = GroupClock(self._resume_from(), self._closed_pane, self._progress, self.config.measures())
        return msgspec.json.encode(clock)


def tail_nats(count: int, mean: float, variance: float) -> float:
    """-ln P(X >= count), X negative binomial with this mean and variance (at least 1.05 of the mean), capped at 700.

    P(X >= k) = I_{1-p}(k, r) with r = mean^2 / (variance - mean) and p = mean / variance, I the regularised incomplete
    beta function (Johnson, Kemp and Kotz, Univariate Discrete Distributions, 5.6).
    """
    mean = max(mean, 0.1)
    variance = max(variance, 1.05 * mean)
    size = mean * mean / (variance - mean)
    tail = float(betainc(count, size, 1.0 - mean / variance))
    return -math.log(tail) if tail > math.exp(-700) else 700.0
