"""What a source is: something that hands out chunks of raw records, lazily, and knows how far it has come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from stillwatch_streams.ingest import Record

CHUNK_RECORDS = 4_096
"""Records handed out at once: enough to make per-chunk costs vanish, few enough to keep memory and Ctrl-C quick."""


class FileRecord(msgspec.Struct, frozen=True, gc=False):
    """A line or row dressed as a record. A file has no broker: no timestamp, key or headers."""

    offset: int
    """Line or row number, from 1."""
    value: bytes | None
    timestamp: int = -1
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class Chunk(msgspec.Struct, frozen=True):
    """Some records of one partition, in order."""

    records: Sequence[Record]
    done: int
    """How far the source has come, in the units of `Source.size`."""
    partition: int | None = None
    """The topic's partition; None for a file, whose events have yet to be assigned to one."""
    exhausted: tuple[int, ...] = ()
    """Partitions of the topic that have been read to their end."""


class Source(Protocol):
    """One input. `chunks` may be called again and starts from the beginning each time."""

    name: str
    size: int
    """Bytes of a file as it lies on disk; records of a topic's range. Only for progress."""

    def chunks(self) -> Iterator[Chunk]:
        """Records in their order. Raises SourceError where reading must stop, after handing out all it could read."""
        ...
