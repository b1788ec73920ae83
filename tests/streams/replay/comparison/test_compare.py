"""Two detectors on one pass: each is what it would have been alone, and the difference is told in three ways."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from stillwatch_models.config import EngineConfig
from stillwatch_schemas.errors import SourceError
from stillwatch_streams.ingest import Ingest
from stillwatch_streams.replay.comparison.compare import Contender, compare, comparison_of
from stillwatch_streams.replay.comparison.page import comparison_html
from stillwatch_streams.replay.comparison.text import comparison_lines
from stillwatch_streams.replay.reading import Input
from stillwatch_streams.replay.results import Member
from stillwatch_streams.replay.run import Job, replay
from stillwatch_streams.replay.stopping import StopFlag
from stillwatch_streams.sources import LinesSource, Source, TimeRange, open_source
from support.builders import T0, make_event
from support.pages import stands_alone, tags_of
from support.stories import make_label, make_note, make_row, make_story

LOW, HIGH = EngineConfig(hard_ceiling_per_minute=30), EngineConfig(hard_ceiling_per_minute=120)
"""Ceilings that one account passes, and that nobody passes."""
BOTH = Contender("low.toml", LOW), Contender("high.toml", HIGH)
REPEATABLE = ("alerts.jsonl", "directives.jsonl", "dlq.jsonl", "accounts.csv", "campaigns.csv")
EVIL = "<script>alert('x')</script>&"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Ten calm accounts over an hour, one that sends 40 requests in a minute, and a line that is no event."""
    calm = [(T0 + n * 36_000, f"calm-{n % 10}") for n in range(100)]
    burst = [(T0 + 600_000 + n * 1_000, "burst") for n in range(40)]
    events = [make_event(event_id=f"e{n}", ts=ts, account_id=name) for n, (ts, name) in enumerate(sorted(calm + burst))]
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in events) + b"{}\n")
    return file


def input_of(path: Path, source: Source | None = None, *, labelled: bool = False) -> Input:
    labels = {f"calm-{n}": make_label(f"calm-{n}") for n in range(10)} | {"burst": make_label("burst", "C")}
    return Input(
        sources=[source or open_source(str(path), TimeRange())],
        ingest=Ingest(),
        partitions=3,
        labels=labels if labelled else None,
    )


def test_each_side_is_what_it_would_have_been_alone(path: Path, tmp_path: Path) -> None:
    compare(input_of(path), tmp_path / "both", BOTH)
    for folder, contender in zip("ab", BOTH, strict=True):
        job = Job(**msgspec.structs.asdict(input_of(path)), config=contender.config, out=tmp_path / folder)
        replay(job)
        for file in REPEATABLE:
            assert (tmp_path / "both" / folder / file).read_bytes() == (tmp_path / folder / file).read_bytes()
        assert {file.name for file in (tmp_path / "both" / folder).iterdir()} == {
            file.name for file in (tmp_path / folder).iterdir()
        }


class CountingSource(LinesSource):
    """Notes how often it was read."""

    times = 0

    def chunks(self):  # type: ignore[no-untyped-def]  # noqa: ANN201 - as the base class has it
        self.times += 1
        return super().chunks()


def test_the_input_is_read_once(path: Path, tmp_path: Path) -> None:
    source = CountingSource(path)
    compare(input_of(path, source), tmp_path / "out", BOTH)
    assert source.times == 1


def test_the_file_says_what_differs(path: Path, tmp_path: Path) -> None:
    found = compare(input_of(path, labelled=True), tmp_path / "out", BOTH)
    assert json.loads((tmp_path / "out" / "comparison.json").read_bytes()) == json.loads(msgspec.json.encode(found))
    assert [(one.setting, one.a, one.b) for one in found.settings] == [("engine.hard_ceiling_per_minute", 30, 120)]
    assert [(pair.subject, pair.truth) for pair in found.incidents.only_a] == [("burst", "distilling, C")]
    assert found.incidents.only_b == found.incidents.both == ()
    assert (found.a.name, found.a.folder, found.a.config_hash) == ("low.toml", "a", LOW.hash())
    assert found.labelled is not None
    assert (found.labelled.campaigns_found_a.hits, found.labelled.campaigns_found_b.hits) == (1, 0)


def test_a_person_is_told_the_same(path: Path, tmp_path: Path) -> None:
    found = compare(input_of(path, labelled=True), tmp_path / "out", BOTH)
    text = "\n".join(comparison_lines(found, tmp_path / "out"))
    for words in (
        "140 events of 11 accounts, read once",
        "engine.hard_ceiling_per_minute 30 -> 120",
        "0 in both, 1 only in A, 0 only in B",
        "Campaigns found: 1 -> 0 of 1",
        "C: leaked",
    ):
        assert words in text


def test_a_request_to_stop_ends_both_sides_with_whole_files(path: Path, tmp_path: Path) -> None:
    stop = StopFlag()
    stop.requested = True
    found = compare(input_of(path), tmp_path / "out", BOTH, stop=stop)
    assert found.interrupted
    for folder in "ab":
        assert json.loads((tmp_path / "out" / folder / "summary.json").read_bytes())["interrupted"] is True
    assert "(interrupted: the files hold what was read)" in next(comparison_lines(found, tmp_path))


def test_a_failure_leaves_no_half_written_file(path: Path, tmp_path: Path) -> None:
    class Broken(LinesSource):
        def chunks(self):  # type: ignore[no-untyped-def]  # noqa: ANN202 - as the base class has it
            raise RuntimeError("the machine is on fire")

    with pytest.raises(RuntimeError):
        compare(input_of(path, Broken(path)), tmp_path / "out", BOTH)
    assert [file for file in (tmp_path / "out").rglob("*") if file.is_file()] == []


def test_a_source_that_breaks_off_is_told(path: Path, tmp_path: Path) -> None:
    class Torn(LinesSource):
        def chunks(self):  # type: ignore[no-untyped-def]  # noqa: ANN202 - as the base class has it
            yield from super().chunks()
            raise SourceError("events.jsonl: truncated")

    found = compare(input_of(path, Torn(path)), tmp_path / "out", BOTH)
    assert found.error == "events.jsonl: truncated"
    assert b"Reading ended early: events.jsonl: truncated" in (tmp_path / "out" / "comparison.html").read_bytes()


def page(*, labelled: bool) -> bytes:
    labels = [make_label("calm"), make_label(EVIL, "C")] if labelled else []
    rows = [make_row(EVIL, 5.0, T0), make_row("calm", 0.0)]
    members = [Member("g", EVIL, T0)]
    a = make_story(rows, [make_note(EVIL)], labels=labels, members=members)
    b = make_story([make_row(EVIL, 1.0), make_row("calm", 2.0)], labels=labels)
    return comparison_html(comparison_of((Contender(EVIL, LOW), BOTH[1]), a, b), a, b)


def test_the_page_has_every_chart_and_stands_alone() -> None:
    made = page(labelled=True)
    assert stands_alone(made)
    assert tags_of(made).open.count("svg") == 4
    for words in ("Only in A: 1 incidents", "Only in B: 0 incidents", "engine.hard_ceiling_per_minute", "0 gained"):
        assert words in made.decode().replace("0 accounts gained", "0 gained")


def test_without_labels_the_page_shows_what_is_known() -> None:
    assert tags_of(page(labelled=False)).open.count("svg") == 1


def test_names_from_outside_are_escaped() -> None:
    made = page(labelled=True).decode()
    assert "<script>alert" not in made
    assert "&lt;script&gt;alert" in made
