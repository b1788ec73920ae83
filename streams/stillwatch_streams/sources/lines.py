"""JSON lines: plain, gzip or Zstandard, of any length, in bounded memory.

A truncated or corrupt archive hands out every whole line before the damage, then raises SourceError with the position.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import zstandard
from stillwatch_schemas.errors import SourceError

from stillwatch_streams.sources.base import CHUNK_RECORDS, Chunk, FileRecord

ZSTD_MAX_WINDOW = 1 << 27
"""128 MiB: what `zstd --long=27` writes; the library refuses it unless told."""
COMPRESSED_BLOCK = 1 << 14
"""Compressed bytes taken at once: small, so that even the most compressible block unpacks into bounded memory."""
PLAIN_BLOCK = 1 << 18
MAX_LINE_BYTES = 1 << 25
"""A longer line is not kept: its first kilobyte goes on, and fails to decode with its line number."""
KEPT_OF_LONG_LINE = 1_024


class Decoder(Protocol):
    """What `zlib.decompressobj` and `ZstdDecompressor.decompressobj` have in common."""

    @property
    def eof(self) -> bool:
        """The member or frame is complete."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What came after it."""
        ...

    def decompress(self, data: bytes, /) -> bytes:
        """Unpack as much as the data allows."""
        ...


def _gzip() -> Decoder:
    return zlib.decompressobj(wbits=31)


def _zstd() -> Decoder:
    return zstandard.ZstdDecompressor(max_window_size=ZSTD_MAX_WINDOW).decompressobj()


DECODERS: dict[str, Callable[[], Decoder]] = {".gz": _gzip, ".zst": _zstd}


class LinesSource:
    """A `.jsonl`, `.jsonl.gz` or `.jsonl.zst` file, one record a line; empty lines are skipped but counted."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)
        self.size = path.stat().st_size

    def chunks(self) -> Iterator[Chunk]:
        """Records in file order; `offset` is the line number from 1."""
        number = 0
        pending: list[FileRecord] = []
        done = 0
        try:
            for lines, done in _lines(self._blocks()):
                numbered = enumerate(lines, number + 1)
                pending += [FileRecord(at, line) for at, line in numbered if line and not line.isspace()]
                number += len(lines)
                while len(pending) >= CHUNK_RECORDS:
                    yield Chunk(pending[:CHUNK_RECORDS], done)
                    del pending[:CHUNK_RECORDS]
        except SourceError:
            if pending:
                yield Chunk(pending, done)
            raise
        if pending:
            yield Chunk(pending, done)

    def _blocks(self) -> Iterator[tuple[bytes, int]]:
        """Unpacked bytes, and how many bytes of the file they took."""
        new = DECODERS.get(self.path.suffix)
        try:
            yield from self._plain() if new is None else self._unpacked(new)
        except OSError as error:
            raise SourceError(f"{self.name}: cannot be read: {error}") from error

    def _plain(self) -> Iterator[tuple[bytes, int]]:
        with self.path.open("rb") as file:
            while block := file.read(PLAIN_BLOCK):
                yield block, file.tell()

    def _unpacked(self, new: Callable[[], Decoder]) -> Iterator[tuple[bytes, int]]:
        """Any number of members or frames, one after the other; padding zeros between them are allowed."""
        decoder: Decoder | None = None
        with self.path.open("rb") as file:
            while packed := file.read(COMPRESSED_BLOCK):
                while packed:
                    decoder = decoder or new()
                    try:
                        block = decoder.decompress(packed)
                    except (zlib.error, zstandard.ZstdError) as error:
                        raise SourceError(self._damaged(file.tell(), f"is corrupt: {error}")) from error
                    if block:
                        yield block, file.tell()
                    packed = decoder.unused_data.lstrip(b"\0") if decoder.eof else b""
                    decoder = None if decoder.eof else decoder
            if decoder is not None:
                raise SourceError(self._damaged(file.tell(), "ends in the middle: it was truncated"))

    def _damaged(self, position: int, what: str) -> str:
        return f"{self.name}: the archive {what} (at or shortly before byte {position:,} of {self.size:,})"


def _lines(blocks: Iterator[tuple[bytes, int]]) -> Iterator[tuple[list[bytes], int]]:
    """Whole lines of each block; the last line needs no newline, unless the archive broke off inside it."""
    rest: list[bytes] = []
    length = done = 0
    for block, done in blocks:
        lines = block.split(b"\n")
        if len(lines) > 1:
            lines[0] = b"".join([*rest, lines[0]])
            rest, length = [], 0
            yield lines[:-1], done
        if length <= MAX_LINE_BYTES:
            rest.append(lines[-1])
            length += len(lines[-1])
        elif len(rest) > 1:
            rest = [b"".join(rest)[:KEPT_OF_LONG_LINE]]
    if length:
        yield [b"".join(rest)], done
