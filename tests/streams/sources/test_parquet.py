"""A Parquet row is the same event as the JSON line it was made of."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stillwatch_schemas.errors import SourceError
from stillwatch_streams.ingest import Ingest
from stillwatch_streams.sources.parquet import ParquetSource
from support.builders import T0, make_event, make_full_event


def decoded(path: Path) -> tuple[list[object], list[str]]:
    items: list[object] = []
    codes: list[str] = []
    for chunk in ParquetSource(path).chunks():
        batch, dead = Ingest().decode(chunk.records)
        items += batch.items
        codes += [letter.code for letter in dead]
    return items, codes


def test_rows_are_the_events_they_were_written_from(tmp_path: Path) -> None:
    events = [make_full_event(event_id="full"), make_event(event_id="small", user_agent=None)]
    rows = [msgspec.to_builtins(event, builtin_types=(bytes,)) for event in events]
    pq.write_table(pa.Table.from_pylist(rows, schema=_schema(rows)), tmp_path / "e.parquet")
    items, codes = decoded(tmp_path / "e.parquet")
    assert codes == []
    assert items == events


def _schema(rows: list[dict[str, object]]) -> pa.Schema:
    """Columns of the fullest row; the others are null there."""
    return pa.Table.from_pylist([rows[0]]).schema


def test_timestamp_columns_become_milliseconds(tmp_path: Path) -> None:
    at = dt.datetime.fromtimestamp(T0 / 1_000, tz=dt.UTC)
    table = pa.table(
        {
            "event_id": ["a", "b"],
            "account_id": ["x", "y"],
            "model": ["m", "m"],
            "ts": pa.array([at, at.replace(tzinfo=None)], pa.timestamp("us")),
        }
    )
    pq.write_table(table, tmp_path / "e.parquet")
    items, _ = decoded(tmp_path / "e.parquet")
    assert [item.ts for item in items] == [T0, T0]  # type: ignore[attr-defined]  # requests, as decoded above


def test_a_bad_row_is_a_dead_letter_with_its_number(tmp_path: Path) -> None:
    table = pa.table({"event_id": ["a", None], "account_id": ["x", "y"], "model": ["m", "m"], "ts": [T0, T0]})
    pq.write_table(table, tmp_path / "e.parquet")
    (chunk,) = ParquetSource(tmp_path / "e.parquet").chunks()
    _, dead = Ingest().decode(chunk.records)
    assert [(letter.code, letter.record.offset) for letter in dead] == [("missing_field", 2)]


def test_row_groups_are_streamed_with_growing_progress(tmp_path: Path) -> None:
    events = [msgspec.to_builtins(make_event(event_id=f"e{n}")) for n in range(9_000)]
    pq.write_table(pa.Table.from_pylist(events), tmp_path / "e.parquet", row_group_size=2_000)
    source = ParquetSource(tmp_path / "e.parquet")
    chunks = list(source.chunks())
    assert sum(len(chunk.records) for chunk in chunks) == 9_000
    assert [record.offset for record in chunks[-1].records][-1] == 9_000
    done = [chunk.done for chunk in chunks]
    assert done == sorted(done)
    assert done[-1] == source.size


def test_what_is_no_parquet_is_a_source_error(tmp_path: Path) -> None:
    (tmp_path / "e.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(SourceError, match=r"e\.parquet"):
        list(ParquetSource(tmp_path / "e.parquet").chunks())
