"""What the main process and a member say to each other, over a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec
from stillwatch_models.accounts import AccountRow
from stillwatch_models.columns import PackedRequest
from stillwatch_models.config import EngineConfig
from stillwatch_models.shard import Batch, Outputs
from stillwatch_schemas.events import Heartbeat, RequestEvent
from stillwatch_schemas.findings import Finding
from stillwatch_schemas.signals import ProfileSignal, Signal
from stillwatch_schemas.verdicts import Verdict

from stillwatch_streams.ingest import Item

T = TypeVar("T")


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """What a member is told when it starts."""

    config: EngineConfig
    partitions: int
    mine: tuple[int, ...]
    """Partitions of this member, ascending."""
    sketch_key: bytes | None
    """What texts are sketched under; None where sketches come with the events or nobody wants any."""


class Placed(msgspec.Struct, Generic[T], frozen=True, array_like=True):
    """The items of one type in a batch, and their places in it."""

    places: list[int]
    items: list[T]

    @staticmethod
    def of(kind: type[T], items: Sequence[Any]) -> Placed[T]:
        """Those of this type among the items."""
        places = [at for at, item in enumerate(items) if isinstance(item, kind)]
        return Placed(places, [items[at] for at in places])


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A batch of one partition, its items by type."""

    partition: int
    next_offset: int
    offsets: list[int]
    packed: Placed[PackedRequest]
    requests: Placed[RequestEvent]
    verdicts: Placed[Verdict]
    beats: Placed[Heartbeat]

    @staticmethod
    def of(partition: int, batch: Batch[Item]) -> Part:
        """The batch, taken apart."""
        return Part(
            partition,
            batch.next_offset,
            batch.offsets,
            Placed.of(PackedRequest, batch.items),
            Placed.of(RequestEvent, batch.items),
            Placed.of(Verdict, batch.items),
            Placed.of(Heartbeat, batch.items),
        )

    def batch(self) -> Batch[Item]:
        """The batch as it was."""
        kinds: list[Placed[Any]] = [self.packed, self.requests, self.verdicts, self.beats]
        by_place = {at: item for kind in kinds for at, item in zip(kind.places, kind.items, strict=True)}
        return Batch([by_place[at] for at in range(len(by_place))], self.offsets, self.next_offset)


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
