"""Replay from beginning to end: read, detect, write, evaluate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

import msgspec
from stillwatch_models.accounts import AccountRow
from stillwatch_models.config import EngineConfig
from stillwatch_schemas.directives import Directive, Release
from stillwatch_schemas.findings import Finding

from stillwatch_streams.ingest import DeadLetter
from stillwatch_streams.output_folder import OutputFolder
from stillwatch_streams.pipeline import Engines, Pipeline, Sink
from stillwatch_streams.replay.account_side import AccountSide, Alone, Settled
from stillwatch_streams.replay.crew.captain import Crew
from stillwatch_streams.replay.engines import MakeEngines, standard_engines
from stillwatch_streams.replay.evaluation import evaluate
from stillwatch_streams.replay.reader import Step
from stillwatch_streams.replay.reading import Input, Progress, Reading, Stopwatch, partitions_of
from stillwatch_streams.replay.report import Story, report_html
from stillwatch_streams.replay.results import Results
from stillwatch_streams.replay.stopping import StopFlag
from stillwatch_streams.replay.summary import Summary
from stillwatch_streams.replay.tables import account_results, accounts_csv, campaigns_csv
from stillwatch_streams.replay.truth import Truth


class Job(Input, frozen=True, kw_only=True):
    """What to replay, and how."""

    config: EngineConfig
    out: Path


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
    engines: MakeEngines = standard_engines,
    publisher: Sink | None = None,
) -> Summary:
    """Run the job and write every file into its folder. A source that breaks off ends the run early but in order.

    With a `publisher`, alerts and directives also go there.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(OutputFolder(job.out))
        partitions = partitions_of(job)
        made = engines(job.config, partitions)
        crew = stack.enter_context(Crew(job, job.config, partitions, made.account)) if job.jobs > 1 else None
        reading = Reading(job, crew.mine if crew else None)
        run = Run(job.config, folder, made, partitions, publisher=publisher, side=crew)
        reading.drive([run], stop or StopFlag(), progress)
        if crew is not None:
            reading.elsewhere += crew.cpu_seconds()
        return run.conclude(reading).summary


class Run:
    """One detector with its settings and its folder: follows a reading, then writes what it found."""

    def __init__(
        self,
        config: EngineConfig,
        folder: OutputFolder,
        engines: Engines,
        partitions: int,
        *,
        publisher: Sink | None = None,
        side: AccountSide | None = None,
    ) -> None:
        """Account shards run in this process, unless there is another `side`."""
        self.watch = Stopwatch()
        self._config = config
        self._folder = folder
        self._results = Results(folder)
        sink: Sink = Both(self._results, publisher) if publisher else self._results
        self._side: AccountSide = Alone(engines.account, partitions) if side is None else side
        self._pipeline = Pipeline(engines, partitions, sink)

    def step(self, step: Step) -> None:
        """Detect in what was read at once; act on the chunks that are through, and release directives that ran out."""
        self._settle(self._side.step(step))

    def end(self) -> None:
        """Close what is open."""
        self._settle(self._side.finish())
        self._pipeline.finish(self._side.ends())

    def _settle(self, chunks: Iterable[Settled]) -> None:
        for chunk in chunks:
            for partition, made in chunk.made:
                self._pipeline.take(partition, made)
            self._pipeline.settle()
            if chunk.last_ts is not None:
                self._pipeline.expire(chunk.last_ts)

    def dead_letter(self, source: str, partition: int | None, letter: DeadLetter) -> None:
        """Into the folder's own list."""
        self._results.dead_letter(source, partition, letter)

    def conclude(self, reading: Reading) -> Story:
        """Evaluate and write every remaining file."""
        folder, results = self._folder, self._results
        accounts = account_results(self._account_rows(), results.campaign_of())
        truth = reading.watcher.truth()
        summary = self._summary(reading, accounts, truth)
        story = Story(summary, accounts, results.notes, truth.counted() if truth else {}, results.members())
        folder.write("accounts.csv", accounts_csv(accounts))
        folder.write("campaigns.csv", campaigns_csv(results.members()))
        folder.write("summary.json", msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")
        folder.write("report.html", report_html(story))
        return story

    def _account_rows(self) -> Iterator[AccountRow]:
        return chain(self._side.accounts(), self._pipeline.campaign_accounts())

    def _summary(self, reading: Reading, accounts: list[AccountRow], truth: Truth | None) -> Summary:
        results, notes = self._results, self._results.notes
        times = reading.times_of(self)
        return Summary(
            events=reading.events,
            seconds=round(times.seconds, 3),
            events_per_s=round(reading.events / times.seconds, 1),
            cpu_seconds=round(times.cpu_seconds, 3),
            busiest_cpu_seconds=round(times.busiest_cpu_seconds, 3),
            alerts=len(notes),
            incidents=sum(note.activity == "create" for note in notes),
            alerts_by_kind=dict(sorted(Counter(note.kind for note in notes).items())),
            directives=dict(sorted(results.directives.items())),
            accounts=len(accounts),
            accounts_alerted=sum(one.first_alert_ts is not None for one in accounts),
            dead_letters=dict(sorted(results.dead_letters.items())),
            first_ts=reading.watcher.first_ts,
            last_ts=reading.last_ts or None,
            partitions=reading.partitions,
            sources=[source.name for source in reading.given.sources],
            config_hash=self._config.hash(),
            config=self._config,
            interrupted=reading.interrupted,
            error=reading.error,
            evaluation=evaluate(truth, accounts, results.members(), notes) if truth is not None else None,
        )
