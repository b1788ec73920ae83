"""The one shape of every stateful piece: a shard owns one partition, folds batches, and can be put down and picked up.

The service (live) and replay drive the same shards, which is why their results are equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

import msgspec
from stillwatch_schemas.directives import Directive, Release
from stillwatch_schemas.findings import Finding
from stillwatch_schemas.signals import ProfileSignal, Signal
from stillwatch_schemas.verdicts import Verdict

T = TypeVar("T")


class Batch(msgspec.Struct, Generic[T], frozen=True):
    """Decoded records of ONE partition, in offset order; records that failed to decode are simply absent."""

    items: list[T]
    offsets: list[int]
    """Offset of each item, strictly increasing."""
    next_offset: int
    """Offset after the last record of the fetch, decoded or not."""


class Outputs(msgspec.Struct, kw_only=True):
    """What a shard wants published, in order. Ids are deterministic, so publishing twice is harmless."""

    findings: list[Finding] = []
    signals: list[Signal] = []
    profiles: list[ProfileSignal] = []
    directives: list[Directive | Release] = []
    verdicts: list[Verdict] = []
    """To be written into the log that the judged shard reads."""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that changed since the previous checkpoint, and the offset from which reading must resume.

    `next_offset` may lie before records that were already folded: they belong to open panes and are folded again.
    """

    rows: Mapping[bytes, bytes | None]
    """Changed rows; None deletes."""
    next_offset: int


class Shard(Protocol[T]):
    """One partition of an engine. No clock, no I/O; the same records give the same bytes whatever the batch size."""

    def process(self, batch: Batch[T]) -> Outputs:
        """Fold a batch. Items below the restored offset are recognised and skipped."""
        ...

    def finish(self) -> Outputs:
        """End of a finite input (replay): close every pane that is still open."""
        ...

    def checkpoint(self) -> Checkpoint | None:
        """The dirty rows since the last call, which become clean; None when nothing changed (not even the offset)."""
        ...

    def snapshot(self) -> dict[bytes, bytes]:
        """All rows: what a clean restore needs, byte-equal for equal input."""
        ...

    def restore(self, rows: Mapping[bytes, bytes]) -> int:
        """Take over the rows of a snapshot (or of all checkpoints together); returns the offset to resume from."""
        ...

    def expire(self, now_ms: int) -> Outputs:
        """Let what has run out by `now_ms` end (directives); most shards have nothing to do."""
        ...
