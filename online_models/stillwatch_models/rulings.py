"""Rulings: how verdicts that stand in the request log take effect, in which order, and what is said about them.

A verdict belongs to the pane that its `at` falls in, but never to a closed one (then it is late) nor to one that the
log has not come to: an analyst's clock cannot move event time. It takes effect when its pane closes, after the pane's
events and before those of any later pane; verdicts of one pane in the order of (`at`, `verdict_id`). So batches,
restarts and replays change nothing. Only the release of directives does not wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import msgspec
from stillwatch_schemas.findings import Activity, Finding, Ruling
from stillwatch_schemas.verdicts import Verdict

from stillwatch_models.accounts import AccountTable
from stillwatch_models.incidents import DISTILLATION, HARD_CEILING, TIERS, Header, derived_uid, finding
from stillwatch_models.panes import UNSEEN, Assignment, PaneClock
from stillwatch_models.scoring import Scorer
from stillwatch_models.verdict_evidence import verdict_evidence

PLAIN_FACTS = (HARD_CEILING,)
"""Kinds of incident that say nothing about harvesting, so that accepting one says nothing about it either."""
SURE = 99
"""Confidence score of an incident that an analyst confirmed."""


class Heard(msgspec.Struct, frozen=True):
    """A verdict that waits for the end of its pane."""

    pane: int
    verdict: Verdict
    offset: int
    max_before: int


class Ruled(msgspec.Struct, frozen=True):
    """What follows from a verdict."""

    finding: Finding | None = None
    hand_on: bool = False
    """The campaign agent should hear of it: the account may be a member."""


class Docket:
    """Verdicts in their open panes."""

    def __init__(self, clock: PaneClock) -> None:
        self._clock = clock
        self._waiting: list[Heard] = []

    def put(
        self, verdicts: Sequence[tuple[int, Verdict]], offsets: Sequence[int], assignment: Assignment
    ) -> Iterator[tuple[int, Finding]]:
        """Let verdicts (with their positions in the batch) wait; yields the releases that must not."""
        for position, verdict in verdicts:
            before = int(assignment.max_before[position])
            pane = self._pane(verdict.at, before)
            if pane < self._clock.closed_before:
                continue  # counted already: it was read again after a restart
            self._waiting.append(Heard(pane, verdict, offsets[position], before))
            if verdict.release:
                yield position, self._release(verdict, pane)

    def due(self) -> deque[Heard]:
        """Take those whose panes have closed, in the order in which they take effect."""
        closed = self._clock.closed_before
        due = [heard for heard in self._waiting if heard.pane < closed]
        self._waiting = [heard for heard in self._waiting if heard.pane >= closed]
        return deque(sorted(due, key=lambda heard: (heard.pane, heard.verdict.at, heard.verdict.verdict_id)))

    def first(self) -> tuple[int, int] | None:
        """Offset of the first that waits, and the clock's greatest event time before it."""
        return min(((heard.offset, heard.max_before) for heard in self._waiting), default=None)

    def _pane(self, at: int, before: int) -> int:
        pane_ms = self._clock.pane_ms
        if before == UNSEEN:
            return at // pane_ms
        return min(max(at // pane_ms, (before - self._clock.lateness_ms) // pane_ms), before // pane_ms)

    def _release(self, verdict: Verdict, pane: int) -> Finding:
        """Ends every directive on the subject that was given up to this pane."""
        end_ms = (pane + 1) * self._clock.pane_ms
        return Finding(
            uid=verdict.finding_uid,
            alert_uid=derived_uid(verdict.finding_uid, "release", verdict.verdict_id),
            kind=verdict.kind,
            activity="update",
            tier="low",
            subject_kind=verdict.subject_kind,
            subject=verdict.subject,
            time_ms=end_ms,
            first_seen_ms=end_ms,
            last_seen_ms=end_ms,
            exchanges=0,
            risk_score=0,
            confidence_score=0,
            ruling="released",
        )


class Judge:
    """Lets verdicts take effect on the accounts of one shard."""

    def __init__(self, scorer: Scorer, table: AccountTable, *, shard: int, config_hash: str, pane_ms: int) -> None:
        self.counters = {"verdicts": 0, "verdicts_repeated": 0, "verdicts_unknown": 0}
        self._scorer = scorer
        self._table = table
        self._shard = shard
        self._config_hash = config_hash
        self._pane_ms = pane_ms

    def rule(self, heard: Heard) -> Ruled:
        """What follows from one verdict. Those on campaigns, and on accounts that are unknown here, are handed on."""
        verdict, feedback = heard.verdict, self._scorer.feedback
        if verdict.subject_kind == "campaign":
            self.counters["verdicts"] += 1
            return Ruled(hand_on=True)
        slot = self._table.find(verdict.subject)
        if slot is None:
            self.counters["verdicts_unknown"] += 1
            return Ruled(hand_on=True)
        if verdict.label == "benign" and verdict.kind in PLAIN_FACTS:
            self.counters["verdicts"] += 1
            return Ruled(self._close_fact(heard, slot))
        if not feedback.is_news(verdict):
            self.counters["verdicts_repeated"] += 1
            return Ruled()
        self.counters["verdicts"] += 1
        row = self._table.row(slot)
        if verdict.label != "unsure":
            feedback.learn(row, self._scorer.supporting(row), distils=verdict.label == "distillation")
        feedback.note(verdict, heard.pane, row, self._scorer.rates)
        if verdict.label == "unsure":
            return Ruled()
        found = self._confirm(heard, slot) if verdict.label == "distillation" else self._reject(heard, slot)
        return Ruled(found, hand_on=True)

    def _confirm(self, heard: Heard, slot: int) -> Finding:
        """The incident becomes critical; where there is none it begins here."""
        rows = self._table.rows
        opened = int(rows["incident_pane"][slot])
        rows["incident_pane"][slot] = opened or heard.pane
        rows["incident_tier"][slot] = len(TIERS)
        rows["said_pane"][slot] = heard.pane
        if not rows["first_alert_ms"][slot]:
            rows["first_alert_ms"][slot] = (heard.pane + 1) * self._pane_ms
        self._table.dirty.add(slot)
        return self._finding(heard, slot, opened or heard.pane, "update" if opened else "create", "confirmed")

    def _reject(self, heard: Heard, slot: int) -> Finding | None:
        """The incident ends, if there is one."""
        rows = self._table.rows
        opened = int(rows["incident_pane"][slot])
        for name in ("incident_pane", "incident_tier", "evidence", "suspicion"):
            rows[name][slot] = 0
        self._table.dirty.add(slot)
        if not opened:
            return None
        rows["said_pane"][slot] = heard.pane
        return self._finding(heard, slot, opened, "close", "rejected")

    def _close_fact(self, heard: Heard, slot: int) -> Finding:
        """An incident of which nothing is kept here: it ends, and nothing else follows from it."""
        verdict, row = heard.verdict, self._table.row(slot)
        return Finding(
            uid=verdict.finding_uid,
            alert_uid=derived_uid(verdict.finding_uid, "close", verdict.verdict_id),
            kind=verdict.kind,
            activity="close",
            tier="low",
            subject_kind="account",
            subject=verdict.subject,
            time_ms=(heard.pane + 1) * self._pane_ms,
            first_seen_ms=int(row["first_ms"]),
            last_seen_ms=int(row["last_ts"]),
            exchanges=int(row["events"]),
            risk_score=0,
            confidence_score=0,
            evidence=(verdict_evidence(verdict),),
            shard=self._shard,
            config_hash=self._config_hash,
            ruling="rejected",
        )

    def _finding(self, heard: Heard, slot: int, first_pane: int, activity: Activity, ruling: Ruling) -> Finding:
        header = Header(
            subject_kind="account",
            subject=heard.verdict.subject,
            kind=DISTILLATION,
            first_pane=first_pane,
            activity=activity,
            pane=heard.pane,
            pane_ms=self._pane_ms,
            config_hash=self._config_hash,
        )
        row, judged = self._table.row(slot), self._scorer.feedback.judged[heard.verdict.subject]
        confirmed = ruling == "confirmed"
        threshold = self._scorer.threshold
        return finding(
            header,
            tier=len(TIERS) if confirmed else 1,
            evidence_nats=TIERS[-1][1] * threshold if confirmed else 0.0,
            threshold=threshold,
            evidence=[verdict_evidence(judged)],
            alert_uid=derived_uid(header.alert_uid, heard.verdict.verdict_id),
            confidence_score=SURE if confirmed else 0,
            exchanges=int(row["events"]),
            asn=int(row["asn"]) or None,
            first_seen_ms=int(row["first_ms"]),
            last_seen_ms=int(row["last_ts"]),
            shard=self._shard,
            ruling=ruling,
        )
