"""Where replay reads from: files of JSON lines or Parquet, and ranges of Kafka topics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stillwatch_schemas.errors import SourceError

from stillwatch_streams.sources.base import Chunk, FileRecord, Source
from stillwatch_streams.sources.kafka import KafkaSource
from stillwatch_streams.sources.lines import LinesSource
from stillwatch_streams.sources.parquet import ParquetSource
from stillwatch_streams.sources.times import TimeRange

__all__ = ["Chunk", "FileRecord", "KafkaSource", "Source", "TimeRange", "open_source"]

LINE_SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson", ".ndjson.gz", ".ndjson.zst")


def open_source(
    spec: str, between: TimeRange, *, kafka_options: Mapping[str, Any] | None = None, margin_ms: int = 600_000
) -> Source:
    """The source that a command-line argument names; SourceError where there is none such.

    `kafka_options` secure the connection to a topic's broker; the address itself comes from `spec`. `margin_ms` is how
    far an event's time may lie from the broker's.
    """
    if spec.startswith("kafka://"):
        return KafkaSource(spec, between, margin_ms=margin_ms, options=kafka_options)
    path = Path(spec)
    if path.is_dir():
        raise SourceError(f"{spec}: is a folder; name the files in it, for example {spec.rstrip('/')}/*.jsonl.zst")
    if not path.is_file():
        raise SourceError(f"{spec}: no such file; a SOURCE is a file or kafka://host:port/topic")
    if spec.endswith(LINE_SUFFIXES):
        return LinesSource(path)
    if path.suffix == ".parquet":
        return ParquetSource(path)
    raise SourceError(f"{spec}: the ending is not known; known are {', '.join(LINE_SUFFIXES)} and .parquet")
