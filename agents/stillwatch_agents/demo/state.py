"""What the demo has seen so far. No clock and no I/O: times come in as seconds since the command began."""

from __future__ import annotations

from collections import Counter, deque

import msgspec
from stillwatch_schemas.directives import Directive
from stillwatch_schemas.findings import Finding
from stillwatch_streams.simulator import Label

RECENT_SECONDS = 15.0
KEPT_LINES = 200
STOPPED = range(400, 500)


class Traffic(msgspec.Struct):
    """One campaign's requests (or ordinary accounts') through the gateway."""

    name: str
    accounts: int
    statuses: Counter[int] = msgspec.field(default_factory=Counter)
    recent: deque[tuple[float, int]] = msgspec.field(default_factory=deque)
    first_refused_at: float | None = None
    first_alert_ms: int | None = None
    """Event time of the earliest alert on any of its accounts."""
    answered_ms: list[int] = msgspec.field(default_factory=list)
    """Event times of the exchanges that were answered, in the history too."""
    alerted: set[str] = msgspec.field(default_factory=set)
    directed: set[str] = msgspec.field(default_factory=set)

    @property
    def answered(self) -> int:
        """Exchanges that were answered, in the history too."""
        return len(self.answered_ms)

    @property
    def leaked(self) -> int | None:
        """Exchanges answered before the first alert, by event time; None before there is one."""
        if self.first_alert_ms is None:
            return None
        return sum(answered < self.first_alert_ms for answered in self.answered_ms)

    def note(self, at: float, status: int, ts: int) -> None:
        """One answer of the gateway, to a request made at `ts` (ms)."""
        self.statuses[status] += 1
        self.recent.append((at, status))
        if status in STOPPED:
            self.first_refused_at = at if self.first_refused_at is None else self.first_refused_at
        else:
            self.answered_ms.append(ts)

    def lately(self, at: float) -> Counter[int]:
        """Answers of the last seconds, by status."""
        while self.recent and self.recent[0][0] < at - RECENT_SECONDS:
            self.recent.popleft()
        return Counter(status for _, status in self.recent)

    def refused_share(self, at: float) -> float | None:
        """Share of the requests of the last seconds that were refused; None when there were none."""
        answers = self.lately(at)
        if not answers:
            return None
        return sum(count for status, count in answers.items() if status in STOPPED) / answers.total()


class Suspect(msgspec.Struct):
    """The latest finding about one subject."""

    finding: Finding
    at: float
    truth: str


class DemoState:
    """Everything on the screen."""

    def __init__(self, truth: dict[str, Label]) -> None:
        self._truth = truth
        self.phase = "starting"
        self.broker = ""
        self.history_events = 0
        self.sent = 0
        self.processed = 0
        self.panes = 0
        self.lag = 0
        self.rates: deque[tuple[float, int]] = deque(maxlen=12)
        self.alerts: deque[Suspect] = deque(maxlen=KEPT_LINES)
        self.alert_ids: set[str] = set()
        self.suspects: dict[str, Suspect] = {}
        self.directives: dict[str, tuple[float, Directive]] = {}
        self.directives_seen: Counter[str] = Counter()
        self.first_alert_at: float | None = None
        self.first_campaign_alert_at: float | None = None
        self.live_at: float | None = None
        self.benign_alerted: set[str] = set()
        self.traffic = self._traffic()

    def truth_of(self, account: str) -> str:
        """What the simulator knows and the detector does not."""
        label = self._truth.get(account)
        return "" if label is None else label.campaign_id or label.archetype

    def side_of(self, account: str) -> Traffic:
        """The traffic row that an account belongs to."""
        label = self._truth.get(account)
        return self.traffic[(label.campaign_id if label else None) or "benign"]

    def note_past(self, account: str, ts: int) -> None:
        """One exchange of the history."""
        self.side_of(account).answered_ms.append(ts)

    def note_alert(self, finding: Finding, at: float) -> Suspect | None:
        """A message on the alerts topic; None when it was seen before (a redelivery)."""
        if finding.alert_uid in self.alert_ids:
            return None
        self.alert_ids.add(finding.alert_uid)
        truth = self.truth_of(finding.subject) if finding.subject_kind == "account" else finding.subject_kind
        suspect = Suspect(finding, at, truth)
        self.alerts.append(suspect)
        self.suspects[f"{finding.subject_kind}:{finding.subject}:{finding.kind}"] = suspect
        if finding.activity != "close":
            self._note_first(finding, at)
        return suspect

    def note_directive(self, key: str, directive: Directive | None, at: float) -> None:
        """A record on the enforcement topic; None releases."""
        if directive is None:
            self.directives.pop(key, None)
            return
        self.directives[key] = (at, directive)
        self.directives_seen[directive.action] += 1
        if directive.scope == "account":
            self.side_of(directive.subject).directed.add(directive.subject)

    def note_metrics(self, at: float, processed: int, panes: int, lag: int) -> None:
        """The worker's own counters."""
        self.processed, self.panes, self.lag = processed, panes, lag
        self.rates.append((at, processed))

    def events_per_second(self) -> float:
        """Events that the worker processed per second lately."""
        if len(self.rates) < 2:  # noqa: PLR2004  # a rate needs two points
            return 0.0
        (first_at, first), (last_at, last) = self.rates[0], self.rates[-1]
        return max(0.0, (last - first) / max(last_at - first_at, 1e-9))

    def top_suspects(self, count: int) -> list[Suspect]:
        """Open incidents, the gravest first."""
        open_ones = [s for s in self.suspects.values() if s.finding.activity != "close"]
        return sorted(open_ones, key=lambda s: (-s.finding.risk_score, -s.finding.exchanges, s.finding.subject))[:count]

    def _note_first(self, finding: Finding, at: float) -> None:
        self.first_alert_at = at if self.first_alert_at is None else self.first_alert_at
        # A surge is no campaign: whoever else is on the network is no suspect (docs/replay.md counts the same way).
        members = finding.members if finding.subject_kind == "campaign" else ()
        for account in (finding.subject, *members):
            if account not in self._truth:
                continue
            side = self.side_of(account)
            if side.name == "benign":
                self.benign_alerted.add(account)
                continue
            side.alerted.add(account)
            known = side.first_alert_ms
            side.first_alert_ms = finding.time_ms if known is None else min(known, finding.time_ms)
            if self.first_campaign_alert_at is None:
                self.first_campaign_alert_at = at

    def _traffic(self) -> dict[str, Traffic]:
        sizes = Counter(label.campaign_id or "benign" for label in self._truth.values())
        names = sorted(name for name in sizes if name != "benign")
        return {name: Traffic(name, sizes[name]) for name in [*names, "benign"]}
