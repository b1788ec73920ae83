"""The main process's side: who has which partition, what is under way, and what comes back in which order."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

import msgspec
from stillwatch_models.accounts import AccountRow
from stillwatch_models.config import EngineConfig
from stillwatch_models.shard import Outputs

from stillwatch_streams.ingest import sketch_key
from stillwatch_streams.pipeline import AccountShard
from stillwatch_streams.replay.account_side import Made, Settled
from stillwatch_streams.replay.crew.colleague import Colleague
from stillwatch_streams.replay.crew.messages import Assignment, Finish
from stillwatch_streams.replay.reader import Step
from stillwatch_streams.replay.reading import Input
from stillwatch_streams.replay.subprocesses import deaf_from_birth

MOST_UNDER_WAY = 64 * 1_048_576
"""Bytes that may be sent and not yet answered: enough to read on while the others start, which takes two seconds."""
READING = 0.4
"""What reading, decoding, dealing and groups cost, as a share of what detecting in all partitions costs. With sketches
it is about that; with texts less, as they are sketched where they are detected."""


class UnderWay(msgspec.Struct, frozen=True):
    """A chunk of the input that somebody has yet to answer."""

    made: Made
    """What the shards in this process made of it."""
    asked: list[Colleague]
    size: int
    """Bytes sent."""
    last_ts: int | None


class Crew:
    """Other processes with partitions of their own, as an `AccountSide`; `with` starts and ends them."""

    def __init__(
        self, given: Input, config: EngineConfig, partitions: int, make: Callable[[int], AccountShard]
    ) -> None:
        mine, *theirs = shares(partitions, given.jobs)
        self.mine = frozenset(mine)
        """Partitions that stay in this process."""
        self._partitions = partitions
        self._shards = {partition: make(partition) for partition in mine}
        sketched = not given.ingest.sketches or partitions == 1
        key = None if sketched else sketch_key(given.settings)
        self._members = [
            Colleague(Assignment(config=config, partitions=partitions, mine=share, sketch_key=key)) for share in theirs
        ]
        self._home = {partition: member for member in self._members for partition in member.partitions}
        self._made: Made = []
        self._under_way: deque[UnderWay] = deque()
        self._ends: dict[int, Outputs] = {}

    def __enter__(self) -> Self:
        with deaf_from_birth():
            for member in self._members:
                member.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for member in self._members:
            member.end(at_once=error is not None)

    def step(self, step: Step) -> Iterator[Settled]:
        """Process what is ours, send the rest; at a chunk's end, give the chunks that have been answered meanwhile."""
        for partition, batch in step.batches:
            if partition in self._shards:
                self._made.append((partition, self._shards[partition].process(batch)))
            else:
                self._home[partition].add(partition, batch)
        if step.ends_chunk:
            self._hand_over(step.last_ts)
            yield from self._answered(MOST_UNDER_WAY)

    def finish(self) -> Iterator[Settled]:
        """Let all close what is open; the chunks that were still under way. Then `ends` has the rest."""
        self._hand_over(None)
        for member in self._members:
            member.order(Finish())
        self._ends = {partition: shard.finish() for partition, shard in self._shards.items()}
        yield from self._answered(-1)

    def ends(self) -> Iterator[Outputs]:
        """What every account shard put out at its end, in the order of partitions."""
        for member in self._members:
            self._ends |= dict(member.made())
        for _, outputs in sorted(self._ends.items(), key=lambda end: end[0]):
            yield outputs

    def accounts(self) -> Iterator[AccountRow]:
        """Every account seen, wherever it lives."""
        for partition in range(self._partitions):
            member = self._home.get(partition)
            yield from self._shards[partition].accounts() if member is None else member.accounts(partition)

    def cpu_seconds(self) -> list[float]:
        """Processor time of each member, once the ends have been read."""
        return [member.cpu_seconds() for member in self._members]

    def _hand_over(self, last_ts: int | None) -> None:
        """A chunk ends here: the members may process theirs."""
        sizes = [(member, member.hand_over()) for member in self._members]
        asked = [member for member, size in sizes if size]
        self._under_way.append(UnderWay(self._made, asked, sum(size for _, size in sizes), last_ts))
        self._made = []

    def _answered(self, most_bytes: int) -> Iterator[Settled]:
        """Chunks in order, as far as they have been answered; waits for answers while more than `most_bytes` remain."""
        waiting = sum(chunk.size for chunk in self._under_way)
        while self._under_way:
            oldest = self._under_way[0]
            if waiting <= most_bytes and not all(member.has_answered() for member in oldest.asked):
                return
            self._under_way.popleft()
            waiting -= oldest.size
            theirs = [one for member in oldest.asked for one in member.made()]
            yield Settled(oldest.made + theirs, oldest.last_ts)


def shares(partitions: int, jobs: int) -> list[tuple[int, ...]]:
    """Partitions of each process, the main one first: it reads besides, so it gets fewer, if any."""
    others = min(jobs - 1, partitions)

    def longest(kept: int) -> float:
        return max(READING * partitions + kept, math.ceil((partitions - kept) / others))

    kept = min(range(partitions), key=longest)
    theirs = [tuple(range(kept + number, partitions, others)) for number in range(others)]
    return [tuple(range(kept)), *[share for share in theirs if share]]
