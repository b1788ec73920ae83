"""The account engine: `process(batch) -> outputs` for one source partition.

Events wait in their open panes as columns. When the watermark closes panes, their events are folded into the account
rows, the touched accounts are scored against the population, evidence accumulates, learners learn, and findings and
group contributions come out. State changes only at a pane's end, so a checkpoint is the rows touched since the last
one and the offset of the first event that is still waiting; after a restart those events are simply read again.

What happens at a pane's end depends on the panes before it and on nothing else, so any split of the input into batches
gives the same bytes (a property test).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from operator import itemgetter

import numpy as np
from stillwatch_schemas.events import Heartbeat
from stillwatch_schemas.findings import Finding
from stillwatch_schemas.signals import CampaignVerdict, EpochClosed, PaneClosed
from stillwatch_schemas.verdicts import Verdict

from stillwatch_models import columns
from stillwatch_models.account_findings import account_finding
from stillwatch_models.account_state import AccountState, Resume
from stillwatch_models.accounts import AccountRow
from stillwatch_models.capacity import Capacity, Slots
from stillwatch_models.cell import Horizons
from stillwatch_models.columns import REQUESTS, Events, Request
from stillwatch_models.config import EngineConfig
from stillwatch_models.fold import fold, in_order, make_ready, take_back
from stillwatch_models.open_panes import EventIds, OpenPanes
from stillwatch_models.panes import UNSEEN, Int64s
from stillwatch_models.profiles import profiles, reference, samples
from stillwatch_models.records import take
from stillwatch_models.rulings import Docket, Heard, Judge
from stillwatch_models.segments import CELLS_AT_ONCE, segments
from stillwatch_models.shard import Batch, Checkpoint, Outputs
from stillwatch_models.texts import Exposure

FAST_HALF_LIFE_SECONDS = 3_600.0
SLOW_HALF_LIFE_SECONDS = 7 * 86_400.0
MOST_EMPTY_EPOCHS = 1_000
"""Epochs at most that are said to be over after a long silence."""
CONTRIBUTIONS_AT_ONCE = 512
"""Told together: writing them takes a few milliseconds, during which nothing else is done."""
THE_END = 2**62
"""A pane after every other."""


class AccountEngine:
    """One source partition's accounts. Items: requests (with their sketches), `Heartbeat` or `Verdict`."""

    def __init__(self, config: EngineConfig, partition: int) -> None:
        make_ready()
        self.config = config
        self.partition = partition
        self.pane_ms = round(config.pane_seconds * 1000)
        self.state = AccountState(config, partition)
        self.clock, self.table, self.scorer = self.state.clock, self.state.table, self.state.scorer
        self.counters = self.state.counters
        self._horizons = Horizons(
            fast=FAST_HALF_LIFE_SECONDS / config.pane_seconds,
            slow=SLOW_HALF_LIFE_SECONDS / config.pane_seconds,
            block=max(1, round(config.evidence_block_seconds / config.pane_seconds)),
            restart=max(1, round(config.evidence_restart_seconds / config.pane_seconds)),
        )
        self._epoch_panes = max(1, round(config.reference_seconds / config.pane_seconds))
        self._open = OpenPanes()
        self._closing: Events = np.zeros(0, columns.EVENT)
        """Events of closed panes that are yet to be folded."""
        self._held: list[Exposure] = []
        """What is taken back when the pane that is being folded ends."""
        self._docket = Docket(self.clock)
        self._judge = Judge(
            self.scorer, self.table, shard=partition, config_hash=self.state.config_hash, pane_ms=self.pane_ms
        )
        self.counters |= self._judge.counters
        self._judge.counters = self.counters
        self._due: deque[Heard] = deque()
        """Verdicts of closed panes that are yet to take effect, in order."""
        self._capacity = Capacity(config)
        self._next_offset = 0
        self._checkpointed = -1
        self._changed = False

    # -- the stream ----------------------------------------------------------------------------------------------

    def process(self, batch: Batch[Request | Heartbeat | Verdict]) -> Outputs:
        """Fold a batch; findings and signals of the panes that it closes come out, in event-time order."""
        first, *more = self.steps(batch)
        for told in more:
            first.signals += told.signals
        return first

    def steps(self, batch: Batch[Request | Heartbeat | Verdict]) -> Iterator[Outputs]:
        """What `process` gives, in parts: alerts need not wait until groups are told, which takes longer than scoring.

        All parts must be taken before anything else is asked of the engine.
        """
        before = self.clock.closed_before
        yield self._fold(batch)
        if self.clock.closed_before > before:
            yield from self._tell()

    def _fold(self, batch: Batch[Request | Heartbeat | Verdict]) -> Outputs:
        """Take a batch in and close panes: everything but what is told to groups."""
        out = Outputs()
        self._next_offset = max(self._next_offset, batch.next_offset)
        if not batch.items:
            return out
        requests, chosen = _requests(batch.items)
        ts = np.array([item.ts for item in batch.items], np.int64)
        verdicts = [] if len(requests) == len(ts) else _verdicts(batch.items)
        ts[[i for i, _ in verdicts]] = UNSEEN  # they do not move the clock
        assignment = self.clock.assign(ts)
        immediate: list[tuple[int, Finding]] = []
        if requests:
            events = columns.build(requests, [batch.offsets[i] for i in chosen.tolist()])
            events["pane"], events["max_before"] = assignment.pane[chosen], assignment.max_before[chosen]
            events["late"] = assignment.late[chosen]
            immediate = self._wait(events, requests, chosen)
        if verdicts:
            immediate = sorted([*self._docket.put(verdicts, batch.offsets, assignment), *immediate], key=itemgetter(0))
        before = self.clock.closed_before
        if self.clock.close() > before:
            self._close(out)
        self._in_order_of_cause(out, immediate, assignment.max_after)
        return out

    def finish(self) -> Outputs:
        """Close every pane that is open: the end of a finite input."""
        out = Outputs()
        before = self.clock.closed_before
        if self.clock.close_all() > before:
            self._close(out)
            out.signals.extend(signal for told in self._tell() for signal in told.signals)
        out.signals.extend(self.state.contributor.tell(THE_END))
        if self.state.epoch != UNSEEN and self.state.ended_epoch < self.state.epoch:
            self._say_epochs_are_over(range(self.state.epoch, self.state.epoch + 1), out)
        return out

    def expire(self, now_ms: int) -> Outputs:  # noqa: ARG002 - part of the shard protocol; accounts age by event time
        """Nothing here runs out by the clock."""
        return Outputs()

    def _wait(self, events: Events, requests: list[Request], item: Slots) -> list[tuple[int, Finding]]:
        """Put events into their open panes; what a restored state has counted already is dropped.

        Returns the findings of immediate rules, each with the position of the item that caused it.
        """
        waiting = np.flatnonzero(events["pane"] >= self.clock.closed_before)
        if len(waiting) < len(events):
            events, item, requests = take(events, waiting), item[waiting], [requests[i] for i in waiting.tolist()]
        if not len(events):
            return []
        events["row"] = self.table.slots([request.account_id for request in requests])
        self._open.put(events, [request.event_id for request in requests])
        return [(int(item[at]), found) for at, found in self.state.ceiling.check(events, requests)]

    def _in_order_of_cause(self, out: Outputs, immediate: list[tuple[int, Finding]], max_after: Int64s) -> None:
        """Findings in the order of the items that caused them, which no batch size changes."""
        if not immediate:
            return
        ends = np.array([found.time_ms for found in out.findings], np.int64) + self.clock.lateness_ms
        closing = zip(np.searchsorted(max_after, ends, side="left").tolist(), out.findings, strict=True)
        # sorted is stable: of findings with the same cause the immediate ones come first
        out.findings = [found for _, found in sorted([*immediate, *closing], key=itemgetter(0))]

    # -- a pane's end --------------------------------------------------------------------------------------------

    def _close(self, out: Outputs) -> None:
        closed, ids = self._take_closed()
        closed_before = self.clock.closed_before
        self._due = self._docket.due()
        self.counters["panes"] += len(np.unique(closed["pane"]))
        cuts = segments(
            closed,
            epoch_panes=self._epoch_panes,
            due=self._due,
            fitting=lambda start, end: self._capacity.cut(self.table, closed, start, end),
        )
        for start, end in cuts:
            self._rule(int(closed["pane"][start]), out)
            self._closing = closed[start:]
            self._end_epoch(int(closed["pane"][start]), out)
            self._begin_epoch(int(closed["pane"][start]) // self._epoch_panes)
            self._closing = closed[end:]
            ends = end == len(closed) or bool(closed["pane"][end] != closed["pane"][end - 1])
            self._close_segment(closed[start:end], ids, out, ends=ends)
            if ends:
                self._evict(flood=self._capacity.flood(self.table), idle=np.zeros(0, np.intp))
        self._closing = np.zeros(0, columns.EVENT)  # a view, however short, would keep all closed events
        self._rule(closed_before, out)
        self._end_epoch(closed_before, out)
        self.state.ceiling.settle(self.table, closed_before)
        self._changed = True

    def _tell(self) -> Iterator[Outputs]:
        """Tell the group agent of the spans that are over, some groups at a time, and then that panes have ended."""
        told = self.state.contributor.tell(self.clock.closed_before)
        while some := list(islice(told, CONTRIBUTIONS_AT_ONCE)):
            yield Outputs(signals=[*some])
        last = self.clock.closed_before - 1
        ended = PaneClosed(source=self.partition, pane=last, pane_end_ms=(last + 1) * self.pane_ms)
        yield Outputs(signals=[ended])

    def _take_closed(self) -> tuple[Events, EventIds]:
        """Events of closed panes, in order, and their ids; the others go on waiting."""
        finished, ids = self._open.take(self.clock.closed_before)
        ordered = in_order(finished, self.table.rows["key"])
        self.counters["repeated"] += len(finished) - len(ordered)
        return ordered, ids

    def _close_segment(self, events: Events, ids: EventIds, out: Outputs, *, ends: bool) -> None:
        """Fold, score and tell a run of whole panes, or a part of a pane; `ends` where the last pane ends."""
        seen = self.state.contributor.look(events, self.table)
        cells = fold(self.table, self.state.texts, events, self._horizons, self.state.models, held=self._held)
        if ends:
            take_back(self.table, self.state.texts, self._held, self._horizons)
            self._held.clear()
        scored = self.scorer.score(self.table, cells)
        self.state.contributor.add(seen, cells, scored.nats, self.table, ids)
        for cell in np.flatnonzero(scored.transition).tolist():
            out.findings.append(
                account_finding(self.state, cells, scored, cell, ids, shard=self.partition, pane_ms=self.pane_ms)
            )
        out.profiles.extend(
            profiles(
                self.table,
                cells,
                scored.nats,
                epoch=self.state.epoch,
                source=self.partition,
                pane_ms=self.pane_ms,
                ids=ids,
            )
        )
        out.profiles.extend(samples(self.table, cells, source=self.partition, pane_ms=self.pane_ms))
        self.counters["events"] += len(events)
        self.counters["late"] += int(events["late"].sum())

    def _rule(self, pane: int, out: Outputs) -> None:
        """Let the verdicts of the panes before `pane` take effect."""
        while self._due and self._due[0].pane < pane:
            heard = self._due.popleft()
            self._end_epoch(heard.pane, out)
            ruled = self._judge.rule(heard)
            if ruled.hand_on:
                verdict = CampaignVerdict(source=self.partition, pane=heard.pane, verdict=heard.verdict)
                out.profiles.append(verdict)
            if ruled.finding is not None:
                out.findings.append(ruled.finding)

    def _end_epoch(self, pane: int, out: Outputs) -> None:
        """Say of every epoch that it is over, once all panes before `pane` are folded; of empty ones too."""
        over = pane // self._epoch_panes
        begun = self.state.epoch if self.state.epoch != UNSEEN else over - 1
        first = begun if self.state.ended_epoch == UNSEEN else self.state.ended_epoch + 1
        if first < over:
            self._say_epochs_are_over(range(max(first, over - MOST_EMPTY_EPOCHS), over), out)

    def _say_epochs_are_over(self, epochs: range, out: Outputs) -> None:
        self.state.ended_epoch = epochs[-1]
        accounts, content = reference(self.table)
        out.profiles.extend(
            EpochClosed(
                source=self.partition,
                epoch=epoch,
                epoch_end_ms=(epoch + 1) * self._epoch_panes * self.pane_ms,
                known_accounts=self.table.live,
                accounts=accounts,
                content=tuple(content.tolist()),
            )
            for epoch in epochs
        )

    def _begin_epoch(self, epoch: int) -> None:
        """Freeze a new population where a new epoch begins."""
        if epoch <= self.state.epoch:
            return
        if self.state.epoch != UNSEEN:
            self.scorer.begin_epoch(self.table, epoch)
            self.state.contributor.begin_epoch(self.table)
            self._evict(idle=self._capacity.idle(self.table, epoch * self._epoch_panes), flood=np.zeros(0, np.intp))
        self.state.epoch, self.state.known_accounts = epoch, self.table.live

    def _evict(self, *, idle: Slots, flood: Slots) -> None:
        if not len(idle) and not len(flood):
            return
        self.scorer.feedback.restart(self.table.account(slot) for slot in (*idle.tolist(), *flood.tolist()))
        waiting = {*self._open.slots(), *self._closing["row"].tolist()}
        self.counters["evicted_idle"] += len(idle)
        self.counters["evicted_flood"] += len(flood)
        self.table.evict(np.concatenate([idle, flood]), waiting)

    # -- what the outside may ask --------------------------------------------------------------------------------

    def accounts(self) -> Iterator[AccountRow]:
        """Every account that is known, by id, scored by what is known now: harvest events may have been taken back."""
        used = self.table.used()
        parts = np.split(used, range(CELLS_AT_ONCE, len(used), CELLS_AT_ONCE))
        scores = np.concatenate([self.scorer.suspicion(self.table.gather(part)) for part in parts])
        by_id = sorted(zip(used.tolist(), scores.tolist(), strict=True), key=lambda pair: self.table.account(pair[0]))
        for slot, score in by_id:
            row = self.table.rows[slot]
            yield AccountRow(
                account_id=self.table.account(slot),
                score=score,
                max_score=max(float(row["peak"]), score),
                first_alert_ts=int(row["first_alert_ms"]) or None,
                campaign_id=None,
                events=int(row["events"]),
            )

    # -- putting down and picking up -----------------------------------------------------------------------------

    def checkpoint(self) -> Checkpoint | None:
        """Rows touched since the last checkpoint, the learners, and the offset of the first event still waiting."""
        resume = self._resume()
        if not self._changed and resume.offset <= self._checkpointed:
            return None
        rows = self.state.take_dirty(resume)
        self._changed = False
        self._checkpointed = resume.offset
        return Checkpoint(rows=rows, next_offset=resume.offset)

    def snapshot(self) -> dict[bytes, bytes]:
        """Every row."""
        return self.state.dump(self._resume())

    def restore(self, rows: Mapping[bytes, bytes]) -> int:
        """Take over the rows of a snapshot; returns the offset to read from."""
        self._next_offset = self._checkpointed = self.state.load(rows)
        return self._next_offset

    def _resume(self) -> Resume:
        waiting = self._open.first()
        firsts = [] if waiting is None else [(int(waiting["offset"]), int(waiting["max_before"]))]
        heard = self._docket.first()
        first = min([*firsts, *([heard] if heard else [])], default=(self._next_offset, self.clock.max_ts))
        return Resume(*first)


def _requests(items: Sequence[Request | Heartbeat | Verdict]) -> tuple[list[Request], Slots]:
    """The requests among some items, and their positions."""
    requests = [item for item in items if isinstance(item, REQUESTS)]
    if len(requests) == len(items):
        return requests, np.arange(len(items))
    return requests, np.array([i for i, item in enumerate(items) if isinstance(item, REQUESTS)], np.intp)


def _verdicts(items: Sequence[Request | Heartbeat | Verdict]) -> list[tuple[int, Verdict]]:
    """The verdicts among some items, each with its position."""
    return [(i, item) for i, item in enumerate(items) if isinstance(item, Verdict)]
