"""Written streams: the four files agree, equal seeds give equal bytes, stopping early leaves them whole."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import msgspec
import pytest
import zstandard
from stillwatch_schemas.errors import ConfigError
from stillwatch_schemas.events import RequestEvent
from stillwatch_streams.simulator import load_scenario
from stillwatch_streams.simulator.writer import FORMATS, Format, write

MONDAY = 1_772_409_600_000


def read_events(path: Path) -> list[RequestEvent]:
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    elif path.suffix == ".zst":
        data = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()
    return [msgspec.json.decode(line, type=RequestEvent) for line in data.splitlines()]


@pytest.mark.parametrize("form", FORMATS)
def test_the_files_agree(tmp_path: Path, form: Format) -> None:
    summary = write(load_scenario("tiny"), 2, tmp_path, start_ms=MONDAY, form=form)
    events = read_events(tmp_path / f"events.{form}")
    with gzip.open(tmp_path / "event_labels.csv.gz", "rt") as file:
        truth = list(csv.DictReader(file))
    rows = list(csv.DictReader((tmp_path / "labels.csv").read_text().splitlines()))
    assert [row["event_id"] for row in truth] == [event.event_id for event in events]
    assert {row["account_id"] for row in rows} == {event.account_id for event in events}
    assert list(rows[0]) == ["account_id", "label", "archetype", "campaign_id", "family"]
    assert sum(row["is_attack"] == "1" for row in truth) == summary.attack_events
    assert (summary.events, summary.accounts, summary.complete) == (len(events), len(rows), True)
    assert load_scenario(tmp_path / "scenario.toml") == load_scenario("tiny")
    assert not list(tmp_path.glob(".*"))


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(load_scenario("tiny"), 2, tmp_path / name, start_ms=MONDAY, form="jsonl.gz")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_stopping_early_leaves_whole_files(tmp_path: Path) -> None:
    summary = write(load_scenario("tiny"), 2, tmp_path, start_ms=MONDAY, watch=lambda events, _ts: events < 500)
    assert (summary.events, summary.complete) == (500, False)
    assert len(read_events(tmp_path / "events.jsonl.zst")) == 500


def test_an_unwritable_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="cannot be made"):
        write(load_scenario("tiny"), 2, tmp_path / "file" / "below", start_ms=MONDAY)
