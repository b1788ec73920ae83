"""Replay from beginning to end: read, detect, write, evaluate."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from stillwatch_models.accounts import AccountRow
from stillwatch_models.config import EngineConfig
from stillwatch_models.engine import AccountEngine
from stillwatch_models.groups import GroupEngine
from stillwatch_models.policy import PolicyEngine
from stillwatch_schemas.directives import Directive, Release
from stillwatch_schemas.errors import SourceError
from stillwatch_schemas.events import RequestEvent
from stillwatch_schemas.findings import Finding

from stillwatch_streams.ingest import DeadLetter, Ingest
from stillwatch_streams.pipeline import Engines, Pipeline, Sink
from stillwatch_streams.replay.evaluation import Truth, evaluate
from stillwatch_streams.replay.folder import OutputFolder
from stillwatch_streams.replay.labels import Label
from stillwatch_streams.replay.reader import Reader
from stillwatch_streams.replay.report import Story, report_html
from stillwatch_streams.replay.results import Results
from stillwatch_streams.replay.stopping import StopFlag
from stillwatch_streams.replay.summary import Summary
from stillwatch_streams.replay.tables import account_results, accounts_csv, campaigns_csv
from stillwatch_streams.sources import Chunk, KafkaSource, Source, TimeRange

Progress = Callable[[int, int, int], None]
"""Work done, all work (bytes or records), events so far."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to replay, and how."""

    sources: Sequence[Source]
    ingest: Ingest
    config: EngineConfig
    partitions: int
    """Shards for files; a topic brings its own number."""
    out: Path
    between: TimeRange = TimeRange()
    labels: dict[str, Label] | None = None
    attack_events: dict[str, str] | None = None
    """Campaign by event id; without it every event of a distilling account counts as an attack exchange."""


def standard_engines(config: EngineConfig, partitions: int) -> Engines:
    """The engines that the live worker runs."""
    return Engines(
        account=lambda partition: AccountEngine(config, partition),
        group=lambda partition: GroupEngine(config, partition, sources=partitions),
        policy=lambda partition: PolicyEngine(config, partition),
    )


class Watcher:
    """Sees the events go by, to know what was replayed: accounts, span, and when attack exchanges happened."""

    def __init__(self, job: Job) -> None:
        self.accounts: set[str] = set()
        self.first_ts: int | None = None
        self.attack_times: dict[str, list[int]] = defaultdict(list)
        self._of_event = job.attack_events
        distilling = (label for label in (job.labels or {}).values() if label.distill)
        self._of_account = {label.account_id: label.campaign_id for label in distilling}

    def see(self, events: Sequence[RequestEvent]) -> None:
        """Note one piece of the input."""
        self.accounts.update(event.account_id for event in events)
        if events:
            earliest = min(event.ts for event in events)
            self.first_ts = earliest if self.first_ts is None else min(self.first_ts, earliest)
        if self._of_event is not None:
            attacks = ((self._of_event.get(event.event_id), event.ts) for event in events)
        else:
            attacks = ((self._of_account.get(event.account_id), event.ts) for event in events)
        for campaign, ts in attacks:
            if campaign is not None:
                self.attack_times[campaign].append(ts)

    def truth(self, labels: dict[str, Label]) -> Truth:
        """The labels of the accounts that were seen."""
        seen = {account: label for account, label in labels.items() if account in self.accounts}
        return Truth(seen, self.attack_times, self.first_ts or 0)


class End(msgspec.Struct):
    """How far the run has come, and why it ended."""

    events: int = 0
    last_ts: int = 0
    interrupted: bool = False
    error: str | None = None


class Stopwatch:
    """Wall and processor time since it was made."""

    def __init__(self) -> None:
        self.seconds, self.cpu_seconds = -time.perf_counter(), -time.process_time()

    def stop(self) -> None:
        """Take the times."""
        self.seconds += time.perf_counter()
        self.cpu_seconds += time.process_time()


class Both:
    """Two sinks as one."""

    def __init__(self, one: Sink, other: Sink) -> None:
        self._sinks = (one, other)

    def finding(self, finding: Finding) -> None:
        """To both."""
        for sink in self._sinks:
            sink.finding(finding)

    def directive(self, directive: Directive | Release) -> None:
        """To both."""
        for sink in self._sinks:
            sink.directive(directive)


def replay(
    job: Job,
    *,
    stop: StopFlag | None = None,
    progress: Progress | None = None,
    engines: Callable[[EngineConfig, int], Engines] = standard_engines,
    publisher: Sink | None = None,
) -> Summary:
    """Run the job and write every file into its folder. A source that breaks off ends the run early but in order.

    With a `publisher`, alerts and directives also go there.
    """
    watch = Stopwatch()
    with OutputFolder(job.out) as folder:
        run = Run(job, Results(folder), engines, publisher)
        run.drive(stop or StopFlag(), progress)
        watch.stop()
        accounts = account_results(run.pipeline.accounts(), run.results.campaign_of())
        summary = run.summary(watch, accounts)
        folder.write("accounts.csv", accounts_csv(accounts))
        folder.write("campaigns.csv", campaigns_csv(run.results.members()))
        folder.write("summary.json", msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")
        folder.write("report.html", report_html(Story(summary, accounts, run.results.notes, job.labels or {})))
    return summary


class Run:
    """One run: the reader on one side, the pipeline and its results on the other."""

    def __init__(
        self, job: Job, results: Results, engines: Callable[[EngineConfig, int], Engines], publisher: Sink | None
    ) -> None:
        self._job = job
        self._watcher = Watcher(job)
        self._end = End()
        self._reader = Reader(
            job.sources, job.ingest, between=job.between, on_dead=self._dead, on_events=self._watcher.see
        )
        self.results = results
        self.partitions = _partitions(job)
        sink: Sink = Both(results, publisher) if publisher else results
        self.pipeline = Pipeline(engines(job.config, self.partitions), self.partitions, sink)

    def drive(self, stop: StopFlag, progress: Progress | None) -> None:
        """Feed everything to the pipeline until the sources end, one breaks off, or somebody asks to stop."""
        try:
            for step in self._reader.steps(self.partitions):
                for partition, batch in step.batches:
                    self.pipeline.process(partition, batch)
                self.pipeline.expire(step.last_ts)
                self._end.events += step.events
                self._end.last_ts = step.last_ts
                if progress is not None:
                    progress(self._reader.done, self._reader.size, self._end.events)
                if stop.requested:
                    self._end.interrupted = True
                    break
        except SourceError as error:
            self._end.error = str(error)
        self.pipeline.finish()

    def summary(self, watch: Stopwatch, accounts: list[AccountRow]) -> Summary:
        """All figures."""
        job, end, notes = self._job, self._end, self.results.notes
        truth = self._watcher.truth(job.labels) if job.labels is not None else None
        return Summary(
            events=end.events,
            seconds=round(watch.seconds, 3),
            events_per_s=round(end.events / watch.seconds, 1),
            cpu_seconds=round(watch.cpu_seconds, 3),
            alerts=len(notes),
            incidents=sum(note.activity == "create" for note in notes),
            alerts_by_kind=dict(sorted(Counter(note.kind for note in notes).items())),
            directives=dict(sorted(self.results.directives.items())),
            accounts=len(accounts),
            accounts_alerted=sum(one.first_alert_ts is not None for one in accounts),
            dead_letters=dict(sorted(self.results.dead_letters.items())),
            first_ts=self._watcher.first_ts,
            last_ts=end.last_ts or None,
            partitions=self.partitions,
            sources=[source.name for source in job.sources],
            config_hash=job.config.hash(),
            config=job.config,
            interrupted=end.interrupted,
            error=end.error,
            evaluation=evaluate(truth, accounts, self.results.members(), notes) if truth is not None else None,
        )

    def _dead(self, source: Source, chunk: Chunk, letter: DeadLetter) -> None:
        self.results.dead_letter(source.name, chunk.partition, letter)


def _partitions(job: Job) -> int:
    """A topic's own number of partitions, else the job's."""
    for source in job.sources:
        if isinstance(source, KafkaSource):
            source.open()
            return source.partitions
    return job.partitions
