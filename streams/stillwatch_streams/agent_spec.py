"""What an agent is made of: what it does with its topic, what its runners share, and where a partition continues."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec
from stillwatch_models.shard import Batch, Outputs, Shard

from stillwatch_streams.checkpoint_store import CheckpointStore
from stillwatch_streams.checkpoints import CheckpointLog
from stillwatch_streams.crash_notes import CrashNotes
from stillwatch_streams.dlq import DeadLetterBox
from stillwatch_streams.ingest import DeadLetter, Record
from stillwatch_streams.metrics import Metrics
from stillwatch_streams.outputs import Router
from stillwatch_streams.publisher import Publisher

T = TypeVar("T")


class Decoder(Protocol[T]):
    """Raw records to typed items, as `Ingest.decode` does it."""

    def __call__(self, records: Sequence[Record]) -> tuple[Batch[T], list[DeadLetter]]:
        """Items in offset order, and what did not fit; never raises on bad input."""
        ...


class AgentSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What one agent does with one topic."""

    name: str
    topic: str
    make_shard: Callable[[int], Shard[Any]]
    decode: Decoder[Any]
    gauges: Callable[[Any], Mapping[str, int]] = lambda _: {}
    """What a shard counts itself, for /metrics."""
    at_once: int = 16_384
    """Most records that are decoded and processed together. What they become should fit the processor's cache."""
    steps: Callable[[Any, Batch[Any]], Iterable[Outputs]] = lambda shard, batch: (shard.process(batch),)
    """What a shard makes of a batch. The first part is acknowledged before the next is worked out; the others, which
    nobody waits for, are written in their order while later records are processed, all before the next checkpoint.
    """


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """What every runner of an agent shares."""

    agent: str
    publisher: Publisher
    router: Router
    store: CheckpointStore
    letters: DeadLetterBox
    notes: CrashNotes
    metrics: Metrics
    commit: Callable[[str, int, int], Awaitable[bool]]
    """Commit an offset of (topic, partition) under our generation; False when the group refuses."""
    on_failure: Callable[[BaseException], None]
    checkpoint_seconds: float
    expire_seconds: float
    """0: nothing expires in this agent."""
    fence_seconds: float
    """How long a refused worker waits for the rebalance that must follow."""
    skip_lost: bool = False


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """Where a recovered partition continues."""

    log: CheckpointLog
    offset: int
    dead_until: int
    dlq_offset: int
    sent: dict[int, str]
    """Dead letters found in the DLQ beyond the checkpoint: source offset → code."""
    poison: frozenset[int]
