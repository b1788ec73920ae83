"""One pass over the input for one run or several: read, decoded and sketched once, whoever looks at it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

import msgspec
from stillwatch_models.shard import Batch
from stillwatch_schemas.errors import SourceError
from stillwatch_schemas.verdicts import Verdict

from stillwatch_streams.ingest import DeadLetter, Ingest, Item
from stillwatch_streams.replay.labels import Label
from stillwatch_streams.replay.reader import Reader
from stillwatch_streams.replay.stopping import StopFlag
from stillwatch_streams.replay.truth import Watcher
from stillwatch_streams.sources import Chunk, KafkaSource, Source, TimeRange

Progress = Callable[[int, int, int], None]
"""Work done, all work (bytes or records), events so far."""


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """What to read, and what is known about it."""

    sources: Sequence[Source]
    ingest: Ingest
    partitions: int
    """Shards for files; a topic brings its own number."""
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


class Listener(Protocol):
    """One detector that follows the input."""

    watch: Stopwatch
    """Time that this detector took."""

    def step(self, batches: Sequence[tuple[int, Batch[Item]]], last_ts: int) -> None:
        """Take batches of partitions, up to this event time."""
        ...

    def end(self) -> None:
        """The input has ended."""
        ...

    def dead_letter(self, source: str, partition: int | None, letter: DeadLetter) -> None:
        """A record that did not fit."""
        ...


class Reading:
    """The pass: how far it has come, why it ended, and what it saw."""

    def __init__(self, given: Input) -> None:
        self.given = given
        self.watcher = Watcher(given.labels, given.attack_events)
        self.events = 0
        self.last_ts = 0
        self.interrupted = False
        self.error: str | None = None
        self.watch = Stopwatch()
        """The whole pass, the listeners' time included."""
        self._listeners: Sequence[Listener] = ()
        self._reader = Reader(
            given.sources,
            given.ingest,
            between=given.between,
            on_dead=self._dead,
            on_events=self.watcher.see,
            verdicts=given.verdicts,
        )
        self.partitions = _partitions(given)

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

    def _steps(self, stop: StopFlag, progress: Progress | None) -> None:
        for step in self._reader.steps(self.partitions):
            for listener in self._listeners:
                with listener.watch:
                    listener.step(step.batches, step.last_ts)
            self.events += step.events
            self.last_ts = step.last_ts
            if progress is not None:
                progress(self._reader.done, self._reader.size, self.events)
            if stop.requested:
                self.interrupted = True
                return

    def times_of(self, listener: Listener) -> tuple[float, float]:
        """Wall and processor time as if this listener had been alone."""
        others = [other.watch for other in self._listeners if other is not listener]
        seconds = self.watch.seconds - sum(other.seconds for other in others)
        return seconds, self.watch.cpu_seconds - sum(other.cpu_seconds for other in others)

    def _dead(self, source: Source, chunk: Chunk, letter: DeadLetter) -> None:
        for listener in self._listeners:
            listener.dead_letter(source.name, chunk.partition, letter)


def _partitions(given: Input) -> int:
    """A topic's own number of partitions, else what was asked for."""
    for source in given.sources:
        if isinstance(source, KafkaSource):
            source.open()
            return source.partitions
    return given.partitions
