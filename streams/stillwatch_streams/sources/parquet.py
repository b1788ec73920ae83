"""Parquet files: one row an event, columns named as the event's fields; read row group by row group."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from stillwatch_schemas.errors import SourceError

from stillwatch_streams.sources.base import CHUNK_RECORDS, Chunk, FileRecord


class ParquetSource:
    """A `.parquet` file. Nulls are absent fields; timestamp columns become integer milliseconds.

    Each row is written as JSON and takes the same way in as a line would: a row can be wrong in the same ways.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)
        self.size = path.stat().st_size

    def chunks(self) -> Iterator[Chunk]:
        """Records in row order; `offset` is the row number from 1."""
        number = 0
        try:
            with pq.ParquetFile(self.path) as file:
                total = file.metadata.num_rows
                for batch in file.iter_batches(batch_size=CHUNK_RECORDS):
                    rows = batch.to_pylist()
                    records = [FileRecord(number + at, _json(row)) for at, row in enumerate(rows, 1)]
                    number += len(rows)
                    yield Chunk(records, self.size * number // total)
        except (pa.ArrowException, OSError) as error:
            raise SourceError(f"{self.name}: cannot be read as Parquet after row {number:,}: {error}") from error


def _json(row: dict[str, Any]) -> bytes:
    """A row without its nulls. A value that JSON cannot hold becomes its text, which the contract then refuses."""
    present = {name: _milliseconds(value) for name, value in row.items() if value is not None}
    return msgspec.json.encode(present, enc_hook=str)


def _milliseconds(value: Any) -> Any:
    if not isinstance(value, dt.datetime):
        return value
    aware = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
    return round(aware.timestamp() * 1_000)
