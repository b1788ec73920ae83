"""What the main process and a member say to each other, over a pipe."""

from __future__ import annotations

from typing import Final

import msgspec
from stillwatch_models.accounts import AccountRow
from stillwatch_models.config import EngineConfig
from stillwatch_models.shard import Outputs
from stillwatch_schemas.findings import Finding
from stillwatch_schemas.signals import ProfileSignal, Signal
from stillwatch_schemas.verdicts import Verdict

from stillwatch_streams.settings import SourceSettings
from stillwatch_streams.sources import Source, TimeRange


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """What a member is told when it starts."""

    sources: list[Source]
    between: TimeRange
    verdicts: list[Verdict]
    settings: SourceSettings
    config: EngineConfig
    partitions: int
    mine: tuple[int, ...]
    """Partitions of this member, ascending."""


class Order(msgspec.Struct, frozen=True, array_like=True):
    """What the main process asks for: the next chunk, the end of the input, or a partition's accounts."""

    what: str
    """`chunk`, `finish` or `accounts`."""
    partition: int = 0


CHUNK: Final = Order("chunk")
FINISH: Final = Order("finish")


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a shard put out for its part of a chunk, or at its end."""

    partition: int
    next_offset: int
    """Of the part's last batch; 0 at the end. Tells whether both processes read the same."""
    findings: list[Finding] = []
    signals: list[Signal] = []
    profiles: list[ProfileSignal] = []

    def outputs(self) -> Outputs:
        """As the shard made them."""
        return Outputs(findings=self.findings, signals=self.signals, profiles=self.profiles)


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
unpack_order: Final = msgspec.msgpack.Decoder(Order).decode
unpack_reply: Final = msgspec.msgpack.Decoder(Reply).decode
unpack_census: Final = msgspec.msgpack.Decoder(Census).decode
unpack_farewell: Final = msgspec.msgpack.Decoder(Farewell).decode
unpack_failure: Final = msgspec.msgpack.Decoder(Failure).decode

GOOD, BAD = b"+", b"-"
"""First byte of everything a member sends: as expected, or a `Failure`."""
