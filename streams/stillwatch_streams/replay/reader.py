"""From sources to batches of single partitions: what a topic with consumers does for the live worker.

Files have no partitions, so their events are dealt out as the topic would (murmur2 of the account). Several files are
merged by event time, each opened only when its time has come, so a folder of daily files costs no more than one. A
topic keeps its own partitions.

A partition without events would hold up the groups, which wait for every partition. Live, emitters send heartbeats;
here the reader does: a minute behind the file's time, so that lines a little out of order don't become late by it.

Analysts' verdicts, which a topic carries as control records, come from a file of their own and are dealt out before
the first event that is not earlier.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain

import msgspec
from stillwatch_models.columns import REQUESTS, Request
from stillwatch_models.shard import Batch
from stillwatch_schemas.errors import ConfigError, SourceError
from stillwatch_schemas.events import Heartbeat
from stillwatch_schemas.limits import MAX_TS_MS
from stillwatch_schemas.verdicts import Verdict

from stillwatch_streams.ingest import DeadLetter, Ingest, Item, Record
from stillwatch_streams.partitioning import Partitioner
from stillwatch_streams.sources import Chunk, KafkaSource, Source, TimeRange
from stillwatch_streams.sources.base import CHUNK_RECORDS

PIECE_RECORDS = 256
"""Records decoded and detected at once: their events still lie in the processor's cache when the detector reads them,
which halves what both cost."""
BEAT_MS = 60_000
"""Event time between two heartbeats, and how far they lag."""

Piece = tuple[list[Request], bool]
"""Events that were read at once, and whether they are the last of their chunk."""


class Misfit(msgspec.Struct, frozen=True):
    """A record that did not fit, and where it stood."""

    source: str
    partition: int | None
    letter: DeadLetter


class Step(msgspec.Struct, frozen=True):
    """What was read at once: a piece of a chunk. Events still have their texts; see `sketching`."""

    batches: list[tuple[int, Batch[Item]]]
    """Partition and batch."""
    events: list[Request]
    """The events in these batches, as they were read."""
    misfits: Sequence[Misfit]
    last_ts: int
    """Greatest event time so far; 0 before the first event."""
    done: int
    """Work done, in the units of `Reader.size`."""
    ends_chunk: bool = True
    """What follows from the chunk is worked out now, so that results do not depend on the size of its pieces."""

    def forget(self) -> None:
        """Let go of the events, whoever still holds this step: the next ones then take their place in the cache."""
        self.events.clear()
        for _, batch in self.batches:
            batch.items.clear()


class Reader:
    """Reads sources once. Whoever reads the same sources again, in another process too, gets the same steps."""

    def __init__(
        self,
        sources: Sequence[Source],
        ingest: Ingest,
        *,
        between: TimeRange,
        verdicts: Sequence[Verdict] = (),
    ) -> None:
        topics = [source for source in sources if isinstance(source, KafkaSource)]
        if topics and len(sources) > 1:
            raise ConfigError(f"{topics[0].name} has partitions of its own and is read alone: give one topic, or files")
        if topics and verdicts:
            raise ConfigError(
                f"{topics[0].name} carries its own verdicts: give a file of verdicts with files of events"
            )
        self._verdicts = [verdict for verdict in verdicts if verdict.at in between]
        self._sources = sources
        self._topic = topics[0] if topics else None
        self._ingest = ingest
        self._between = between
        self._misfits: list[Misfit] = []
        self._done = dict.fromkeys(range(len(sources)), 0)

    @property
    def size(self) -> int:
        """All work, in bytes of files or records of a topic."""
        return sum(source.size for source in self._sources)

    def steps(self, partitions: int) -> Iterator[Step]:
        """Everything, in pieces small enough to stop between. Raises SourceError after the last piece it could read."""
        if self._topic is not None:
            return self._topic_steps(self._topic, partitions)
        return self._file_steps(partitions)

    def _file_steps(self, partitions: int) -> Iterator[Step]:
        dealer = Dealer(partitions, self._verdicts)
        events = self._events_of(0) if len(self._sources) == 1 else self._merged()
        for some, ends_chunk in events:
            batches = dealer.deal(some)
            yield self._step(batches, some, dealer.last_ts, ends_chunk=ends_chunk)
        yield self._step(dealer.rest(), [], dealer.last_ts)

    def _topic_steps(self, topic: KafkaSource, partitions: int) -> Iterator[Step]:
        beats = Laggards(partitions)
        last_ts = 0
        for chunk in topic.chunks():
            batch = self._decoded(0, topic, chunk, chunk.records)
            events = [item for item in batch.items if isinstance(item, REQUESTS)]
            last_ts = max(last_ts, max((event.ts for event in events), default=0))
            partition = chunk.partition or 0
            batches = [(partition, batch), *beats.after(partition, batch, chunk.exhausted)]
            yield self._step(batches, events, last_ts)

    def _step(
        self,
        batches: list[tuple[int, Batch[Item]]],
        events: list[Request],
        last_ts: int,
        *,
        ends_chunk: bool = True,
    ) -> Step:
        misfits, self._misfits = self._misfits, []
        return Step(batches, events, misfits, last_ts, sum(self._done.values()), ends_chunk)

    def _events_of(self, number: int) -> Iterator[Piece]:
        """The events of one file, piece by piece."""
        source = self._sources[number]
        for chunk in source.chunks():
            for start in range(0, len(chunk.records), PIECE_RECORDS):
                end = start + PIECE_RECORDS
                batch = self._decoded(number, source, chunk, chunk.records[start:end])
                events = [item for item in batch.items if isinstance(item, REQUESTS)]
                del batch  # nobody may hold events that have been detected, see `Step.forget`
                yield events, end >= len(chunk.records)

    def _decoded(self, number: int, source: Source, chunk: Chunk, records: Sequence[Record]) -> Batch[Item]:
        self._done[number] = chunk.done
        batch, dead = self._ingest.parse(records)
        self._misfits += [Misfit(source.name, chunk.partition, letter) for letter in dead]
        return _within(batch, self._between) if self._between.bounded else batch

    def _merged(self) -> Iterator[Piece]:
        """All files as one, by event time; within a file the order stays as it is."""
        waiting = sorted((self._first_ts(number), number) for number in range(len(self._sources)))
        waiting.reverse()
        heap: list[tuple[int, int, Request, Iterator[Request]]] = []
        some: list[Request] = []
        merged = 0
        try:
            while waiting or heap:
                while waiting and (not heap or waiting[-1][0] <= heap[0][0]):
                    _, number = waiting.pop()
                    _push(heap, number, chain.from_iterable(piece for piece, _ in self._events_of(number)))
                if heap:
                    _, number, event, following = heapq.heappop(heap)
                    some.append(event)
                    _push(heap, number, following)
                if len(some) == PIECE_RECORDS:
                    merged += len(some)
                    yield some, merged % CHUNK_RECORDS == 0
                    some = []
        except SourceError:
            yield some, True
            raise
        yield some, True

    def _first_ts(self, number: int) -> int:
        """Event time of a file's first good event; the file is closed again."""
        for chunk in self._sources[number].chunks():
            batch, _ = self._ingest.parse(chunk.records)
            if batch.items:
                return batch.items[0].ts
        return 0


def _push(heap: list[tuple[int, int, Request, Iterator[Request]]], number: int, following: Iterator[Request]) -> None:
    event = next(following, None)
    if event is not None:
        heapq.heappush(heap, (event.ts, number, event, following))


def _within(batch: Batch[Item], between: TimeRange) -> Batch[Item]:
    kept = [at for at, item in enumerate(batch.items) if item.ts in between]
    return Batch([batch.items[at] for at in kept], [batch.offsets[at] for at in kept], batch.next_offset)


class Dealer:
    """Deals a file's events and verdicts out to partitions; an event's offset is its place in the whole input."""

    def __init__(self, partitions: int, verdicts: Sequence[Verdict] = ()) -> None:
        self.last_ts = 0
        self._partitioner = Partitioner(partitions)
        self._place = 0
        self._next_beat = 0
        self._verdicts = deque(sorted(verdicts, key=lambda verdict: (verdict.at, verdict.verdict_id)))

    def deal(self, events: Sequence[Request]) -> list[tuple[int, Batch[Item]]]:
        """A batch for each partition that has something."""
        self.last_ts = max([self.last_ts, *[event.ts for event in events]])
        if self._partitioner.partitions == 1 and not self._verdicts:
            first, self._place = self._place, self._place + len(events)
            return [(0, Batch(list(events), list(range(first, self._place)), self._place))] if events else []
        items: list[list[Item]] = [[] for _ in range(self._partitioner.partitions)]
        offsets: list[list[int]] = [[] for _ in items]
        home_of = self._partitioner.of
        place = self._place
        next_verdict = self._verdicts[0].at if self._verdicts else MAX_TS_MS + 1
        for event in events:
            home = home_of(event.account_id)
            if event.ts >= next_verdict:
                place += self._judge(event.ts, place, items, offsets)
                next_verdict = self._verdicts[0].at if self._verdicts else MAX_TS_MS + 1
            if event.ts >= self._next_beat:
                self._beat(event.ts, home, place, items, offsets)
            items[home].append(event)
            offsets[home].append(place)
            place += 1
        self._place = place
        return [(home, Batch(items[home], offsets[home], place)) for home in range(len(items)) if items[home]]

    def rest(self) -> list[tuple[int, Batch[Item]]]:
        """The verdicts that are later than every event."""
        items: list[list[Item]] = [[] for _ in range(self._partitioner.partitions)]
        offsets: list[list[int]] = [[] for _ in items]
        self._place += self._judge(MAX_TS_MS, self._place, items, offsets)
        return [(home, Batch(items[home], offsets[home], self._place)) for home in range(len(items)) if items[home]]

    def _judge(self, ts: int, place: int, items: list[list[Item]], offsets: list[list[int]]) -> int:
        """Give the verdicts up to this time to the partitions of their subjects; returns how many."""
        count = 0
        while self._verdicts and self._verdicts[0].at <= ts:
            verdict = self._verdicts.popleft()
            home = self._partitioner.of(verdict.subject)
            items[home].append(verdict)
            offsets[home].append(place + count)
            count += 1
        return count

    def _beat(self, ts: int, home: int, place: int, items: list[list[Item]], offsets: list[list[int]]) -> None:
        """Tell every other partition, at the place of this event, how far time has come."""
        self._next_beat = ts - ts % BEAT_MS + BEAT_MS
        for other in range(len(items)):
            if other != home:
                items[other].append(Heartbeat(ts - BEAT_MS))
                offsets[other].append(place)


class Laggards:
    """Heartbeats for the partitions of a topic that have been read to their end, while others still have records."""

    def __init__(self, partitions: int) -> None:
        self._reached = [0] * partitions
        self._next_offset = [0] * partitions
        self._told = 0

    def after(self, partition: int, batch: Batch[Item], exhausted: Sequence[int]) -> list[tuple[int, Batch[Item]]]:
        """What the exhausted partitions should hear after this batch."""
        self._next_offset[partition] = batch.next_offset
        self._reached[partition] = max([self._reached[partition], *(item.ts for item in batch.items)])
        others = [ts for number, ts in enumerate(self._reached) if number not in exhausted]
        now = min(others, default=0) - BEAT_MS
        if not exhausted or now < self._told + BEAT_MS:
            return []
        self._told = now
        return [(number, self._beat(number, now)) for number in exhausted]

    def _beat(self, number: int, ts: int) -> Batch[Item]:
        offset = self._next_offset[number]
        self._next_offset[number] = offset + 1
        return Batch([Heartbeat(ts)], [offset], offset + 1)
