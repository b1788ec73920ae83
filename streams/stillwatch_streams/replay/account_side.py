"""The half of a replay that detects in accounts: in this process alone, or shared out among a crew of processes.

The other half (`pipeline.py`) takes what account shards put out, chunk by chunk of the input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec
from stillwatch_models.accounts import AccountRow
from stillwatch_models.shard import Outputs

from stillwatch_streams.pipeline import AccountShard
from stillwatch_streams.replay.reader import Step

Made = list[tuple[int, Outputs]]
"""What account shards put out, each with its partition."""


class Settled(msgspec.Struct, frozen=True):
    """A chunk of the input that every account shard has processed."""

    made: Made
    last_ts: int | None
    """Greatest event time up to its end; None for what was left over."""


class AccountSide(Protocol):
    """All account shards of a run, wherever they live."""

    def step(self, step: Step) -> Iterator[Settled]:
        """Process what was read at once; at a chunk's end, give the chunks that are through."""
        ...

    def finish(self) -> Iterator[Settled]:
        """The input has ended: the chunks that are not through yet. Then `ends` has the rest."""
        ...

    def ends(self) -> Iterator[Outputs]:
        """What every account shard put out at its end, in the order of partitions."""
        ...

    def accounts(self) -> Iterator[AccountRow]:
        """Every account seen, partition by partition."""
        ...


class Alone:
    """All of them in this process: a chunk is through when it has been read."""

    def __init__(self, make: Callable[[int], AccountShard], partitions: int) -> None:
        self._shards = [make(partition) for partition in range(partitions)]
        self._made: Made = []

    def step(self, step: Step) -> Iterator[Settled]:
        """Process the step."""
        self._made += [(partition, self._shards[partition].process(batch)) for partition, batch in step.batches]
        if step.ends_chunk:
            yield self._settled(step.last_ts)

    def finish(self) -> Iterator[Settled]:
        """What was read of a chunk that broke off."""
        yield self._settled(None)

    def ends(self) -> Iterator[Outputs]:
        """Let all close what is open."""
        return (shard.finish() for shard in self._shards)

    def accounts(self) -> Iterator[AccountRow]:
        """Every account seen."""
        for shard in self._shards:
            yield from shard.accounts()

    def _settled(self, last_ts: int | None) -> Settled:
        made, self._made = self._made, []
        return Settled(made, last_ts)
