"""Line files of every kind are read alike, and a damaged one gives what it can before it complains."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from stillwatch_schemas.errors import SourceError
from stillwatch_streams.sources import lines, open_source
from stillwatch_streams.sources.base import CHUNK_RECORDS
from stillwatch_streams.sources.lines import LinesSource
from stillwatch_streams.sources.times import TimeRange

LINES = [f'{{"n":{n},"text":"{"x" * (n % 700)}"}}'.encode() for n in range(CHUNK_RECORDS + 1_000)]
WHOLE = b"\n".join(LINES) + b"\n"
LONG_WINDOW = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)


def streamed_zstd(data: bytes) -> bytes:
    """What `zstd --long=27` writes in a pipe: a 128 MiB window, and no word on how long the content is."""
    packer = zstandard.ZstdCompressor(compression_params=LONG_WINDOW).compressobj()
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".jsonl": bytes,
    ".jsonl.gz": gzip.compress,
    ".jsonl.zst": streamed_zstd,
}


def written(tmp_path: Path, suffix: str, data: bytes) -> LinesSource:
    path = tmp_path / f"events{suffix}"
    path.write_bytes(data)
    source = open_source(str(path), TimeRange())
    assert isinstance(source, LinesSource)
    return source


def values(source: LinesSource) -> list[bytes | None]:
    return [record.value for chunk in source.chunks() for record in chunk.records]


def read_until_error(source: LinesSource) -> tuple[list[bytes | None], SourceError]:
    read: list[bytes | None] = []
    try:
        for chunk in source.chunks():
            read += [record.value for record in chunk.records]
    except SourceError as error:
        return read, error
    pytest.fail("the damage went unnoticed")


@pytest.mark.parametrize("suffix", PACKERS)
def test_every_kind_gives_the_same_lines_with_their_numbers(tmp_path: Path, suffix: str) -> None:
    source = written(tmp_path, suffix, PACKERS[suffix](WHOLE))
    chunks = list(source.chunks())
    records = [record for chunk in chunks for record in chunk.records]
    assert [record.value for record in records] == LINES
    assert [record.offset for record in records] == list(range(1, len(LINES) + 1))
    assert max(len(chunk.records) for chunk in chunks) <= CHUNK_RECORDS
    assert chunks[-1].done == source.size


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst"])
def test_many_members_and_frames_are_one_file(tmp_path: Path, suffix: str) -> None:
    half = len(WHOLE) // 2
    pack = PACKERS[suffix]
    source = written(tmp_path, suffix, pack(WHOLE[:half]) + pack(b"") + pack(WHOLE[half:]))
    assert values(source) == LINES


def test_a_skippable_frame_is_skipped(tmp_path: Path) -> None:
    skippable = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"notes"
    source = written(tmp_path, ".jsonl.zst", skippable + streamed_zstd(WHOLE))
    assert values(source) == LINES


def test_gzip_padding_is_no_damage(tmp_path: Path) -> None:
    assert values(written(tmp_path, ".jsonl.gz", gzip.compress(WHOLE) + bytes(512))) == LINES


def test_the_last_line_needs_no_newline_and_empty_lines_only_count(tmp_path: Path) -> None:
    source = written(tmp_path, ".jsonl", b"one\n\n  \r\ntwo")
    records = [record for chunk in source.chunks() for record in chunk.records]
    assert [(record.offset, record.value) for record in records] == [(1, b"one"), (4, b"two")]


def test_an_empty_file_has_no_records(tmp_path: Path) -> None:
    assert values(written(tmp_path, ".jsonl", b"")) == []


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst"])
def test_a_truncated_archive_gives_its_whole_lines_and_then_an_error(tmp_path: Path, suffix: str) -> None:
    packed = PACKERS[suffix](WHOLE)
    cut = len(packed) * 3 // 4
    source = written(tmp_path, suffix, packed[:cut])
    read, error = read_until_error(source)
    assert re.search(rf"events{suffix}.*truncated.*byte {cut:,}", str(error))
    assert len(read) > len(LINES) // 4
    assert read == LINES[: len(read)]


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst"])
def test_a_corrupt_archive_gives_its_whole_lines_and_then_an_error(tmp_path: Path, suffix: str) -> None:
    pack = PACKERS[suffix]
    source = written(tmp_path, suffix, pack(WHOLE) + b"\xba\xad" * 40)
    read, error = read_until_error(source)
    assert "corrupt" in str(error)
    assert read == LINES[: len(read)]


def test_something_else_under_an_archives_name_is_corrupt(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="corrupt"):
        values(written(tmp_path, ".jsonl.zst", b"plain text\n" * 9))


def test_a_line_without_end_is_not_kept_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 1 << 20)
    source = written(tmp_path, ".jsonl", b"first\n" + b"[" * (8 << 20) + b"\nlast\n")
    first, long_one, last = values(source)
    assert (first, last) == (b"first", b"last")
    assert long_one is not None
    assert len(long_one) < (1 << 20)


def test_a_source_can_be_read_again(tmp_path: Path) -> None:
    source = written(tmp_path, ".jsonl", WHOLE)
    assert values(source) == values(source)


@pytest.mark.parametrize(("name", "complaint"), [("missing.jsonl", "no such file"), ("events.csv", "ending")])
def test_what_cannot_be_a_source_is_refused(tmp_path: Path, name: str, complaint: str) -> None:
    (tmp_path / "events.csv").touch()
    with pytest.raises(SourceError, match=complaint):
        open_source(str(tmp_path / name), TimeRange())
