"""What the main process and a member say to each other, over a pipe."""

from __future__ import annotations

from operator import itemgetter
from typing import Final

import msgspec
from stillwatch_models.accounts import AccountRow
from stillwatch_models.config import EngineConfig
from stillwatch_models.shard import Batch, Outputs
from stillwatch_schemas.events import Heartbeat, RequestEvent
from stillwatch_schemas.findings import Finding
from stillwatch_schemas.signals import ProfileSignal, Signal
from stillwatch_schemas.verdicts import Verdict

from stillwatch_streams.ingest import Item


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """What a member is told when it starts."""

    config: EngineConfig
    partitions: int
    mine: tuple[int, ...]
    """Partitions of this member, ascending."""
    sketch_key: bytes | None
    """What texts are sketched under; None where sketches come with the events or nobody wants any."""


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A batch of one partition. Verdicts and heartbeats, which are few, stand apart with their places in it."""

    partition: int
    next_offset: int
    offsets: list[int]
    requests: list[RequestEvent]
    verdicts: list[tuple[int, Verdict]]
    beats: list[tuple[int, Heartbeat]]

    @staticmethod
    def of(partition: int, batch: Batch[Item]) -> Part:
        """The batch, taken apart."""
        placed = list(enumerate(batch.items))
        return Part(
            partition,
            batch.next_offset,
            batch.offsets,
            [item for item in batch.items if isinstance(item, RequestEvent)],
            [(at, item) for at, item in placed if isinstance(item, Verdict)],
            [(at, item) for at, item in placed if isinstance(item, Heartbeat)],
        )

    def batch(self) -> Batch[Item]:
        """The batch as it was."""
        items: list[Item] = [*self.requests]
        others: list[tuple[int, Item]] = [*self.verdicts, *self.beats]
        for at, item in sorted(others, key=itemgetter(0)):
            items.insert(at, item)
        return Batch(items, self.offsets, self.next_offset)


class Chunk(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Order to process what was read of these partitions; the answer is `Made`."""

    parts: list[bytes]
    """Packed `Part`s: each is unpacked when its turn has come, so that it is in the processor's cache."""


class Finish(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Order to close what is open; the answer is `Made`, then `Farewell`."""


class Count(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Order to list the accounts of a partition; the answer is `Census`."""

    partition: int


Order = Chunk | Finish | Count


class Share(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a shard put out for its part of a chunk, or at its end."""

    partition: int
    findings: list[Finding] = []
    signals: list[Signal] = []
    profiles: list[ProfileSignal] = []

    def outputs(self) -> Outputs:
        """As the shard made them."""
        return Outputs(findings=self.findings, signals=self.signals, profiles=self.profiles)


class Made(msgspec.Struct, frozen=True):
    """What came of an order, in the order in which it came about."""

    shares: list[Share]


class Census(msgspec.Struct, frozen=True):
    """The accounts of one partition."""

    rows: list[AccountRow]


class Farewell(msgspec.Struct, frozen=True):
    """The member has finished its shards."""

    cpu_seconds: float
    """Processor time since it was ready to begin."""


class Failure(msgspec.Struct, frozen=True):
    """The member cannot go on."""

    message: str


pack: Final = msgspec.msgpack.Encoder().encode
unpack_part: Final = msgspec.msgpack.Decoder(Part).decode
unpack_order: Final = msgspec.msgpack.Decoder(Order).decode
unpack_made: Final = msgspec.msgpack.Decoder(Made).decode
unpack_census: Final = msgspec.msgpack.Decoder(Census).decode
unpack_farewell: Final = msgspec.msgpack.Decoder(Farewell).decode
unpack_failure: Final = msgspec.msgpack.Decoder(Failure).decode

GOOD, BAD = b"+", b"-"
"""First byte of everything a member sends: as expected, or a `Failure`."""
