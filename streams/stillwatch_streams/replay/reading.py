"""One pass over the input for one run or several: read, decoded and sketched once, whoever looks at it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Container, Sequence
from types import TracebackType
from typing import Protocol, Self

import msgspec
from stillwatch_schemas.errors import SourceError
from stillwatch_schemas.verdicts import Verdict

from stillwatch_streams.ingest import DeadLetter, Ingest, sketch_key
from stillwatch_streams.replay.labels import Label
from stillwatch_streams.replay.reader import Reader, Step
from stillwatch_streams.replay.sketching import Elsewhere, Here, Sketching
from stillwatch_streams.replay.stopping import StopFlag
from stillwatch_streams.replay.truth import Watcher
from stillwatch_streams.settings import SourceSettings
from stillwatch_streams.sources import KafkaSource, Source, TimeRange

Progress = Callable[[int, int, int], None]
"""Work done, all work (bytes or records), events so far."""


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """What to read, and what is known about it."""

    sources: Sequence[Source]
    ingest: Ingest
    partitions: int
    """Shards for files; a topic brings its own number."""
    jobs: int = 1
    """Processes to share the work; any number gives the same results."""
    settings: SourceSettings = SourceSettings()
    """What `ingest` was made from: other processes make theirs of it."""
    between: TimeRange = TimeRange()
    verdicts: Sequence[Verdict] = ()
    """What analysts decided while these events came in; a topic carries its own."""
    labels: dict[str, Label] | None = None
    attack_events: dict[str, str] | None = None
    """Campaign by event id; without it every event of a distilling account counts as an attack exchange."""


class Stopwatch:
    """Wall and processor time spent in its `with` blocks, seconds."""

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = 0.0

    def __enter__(self) -> Self:
        self.seconds -= time.perf_counter()
        self.cpu_seconds -= time.process_time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds += time.perf_counter()
        self.cpu_seconds += time.process_time()


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """What a run took."""

    seconds: float
    """By the clock."""
    cpu_seconds: float
    """Processor time of all processes."""
    busiest_cpu_seconds: float
    """Of the busiest one."""


class Listener(Protocol):
    """One detector that follows the input."""

    watch: Stopwatch
    """Time that this detector took."""

    def step(self, step: Step) -> None:
        """Take the batches of partitions that were read at once."""
        ...

    def end(self) -> None:
        """The input has ended."""
        ...

    def dead_letter(self, source: str, partition: int | None, letter: DeadLetter) -> None:
        """A record that did not fit."""
        ...


class Reading:
    """The pass: how far it has come, why it ended, and what it saw."""

    def __init__(self, given: Input, mine: Container[int] | None = None) -> None:
        """With `mine`, only these partitions are detected in this process and get sketches."""
        self.given = given
        self.watcher = Watcher(given.labels, given.attack_events)
        self.events = 0
        self.last_ts = 0
        self.interrupted = False
        self.error: str | None = None
        self.watch = Stopwatch()
        """The whole pass, the listeners' time included."""
        self.elsewhere: list[float] = []
        """Processor time of each other process that took part, seconds."""
        self._listeners: Sequence[Listener] = ()
        self._reader = Reader(given.sources, given.ingest, between=given.between, verdicts=given.verdicts)
        self.partitions = partitions_of(given)
        self._sketching = _sketching(given, self.partitions, mine)

    def drive(self, listeners: Sequence[Listener], stop: StopFlag, progress: Progress | None) -> None:
        """Feed everything to the listeners until the sources end, one breaks off, or somebody asks to stop."""
        self._listeners = listeners
        with self.watch:
            try:
                self._steps(stop, progress)
            except SourceError as error:
                self.error = str(error)
            for listener in listeners:
                with listener.watch:
                    listener.end()
        self.elsewhere += self._sketching.cpu_seconds.values()

    def _steps(self, stop: StopFlag, progress: Progress | None) -> None:
        with contextlib.closing(self._sketching(self._reader.steps(self.partitions))) as steps:
            for step in steps:
                self._take(step)
                if not step.ends_chunk:
                    continue
                if progress is not None:
                    progress(step.done, self._reader.size, self.events)
                if stop.requested:
                    self.interrupted = True
                    return

    def _take(self, step: Step) -> None:
        self.watcher.see(step.events)
        for listener in self._listeners:
            for misfit in step.misfits:
                listener.dead_letter(misfit.source, misfit.partition, misfit.letter)
            with listener.watch:
                listener.step(step)
        self.events += len(step.events)
        self.last_ts = step.last_ts
        step.forget()

    def times_of(self, listener: Listener) -> Times:
        """The times as if this listener had been alone."""
        others = [other.watch for other in self._listeners if other is not listener]
        here = self.watch.cpu_seconds - sum(other.cpu_seconds for other in others)
        return Times(
            seconds=self.watch.seconds - sum(other.seconds for other in others),
            cpu_seconds=here + sum(self.elsewhere),
            busiest_cpu_seconds=max(here, *self.elsewhere, 0.0),
        )


def partitions_of(given: Input) -> int:
    """A topic's own number of partitions, else what was asked for."""
    for source in given.sources:
        if isinstance(source, KafkaSource):
            if not source.partitions:
                source.open()
            return source.partitions
    return given.partitions


def _sketching(given: Input, partitions: int, mine: Container[int] | None) -> Sketching:
    """Other processes sketch, unless the partitions are shared out and each sketches where it is detected."""
    if given.jobs > 1 and (mine is None or partitions == 1) and given.ingest.sketches:
        return Elsewhere(sketch_key(given.settings), given.jobs)
    return Here(given.ingest, mine)
