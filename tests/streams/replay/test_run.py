"""A whole run on real engines: every file of the contract, also when it is cut short."""

from __future__ import annotations

import csv
import gzip
import json
import os
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from stillwatch_models.config import EngineConfig
from stillwatch_schemas.alerts import decode_finding
from stillwatch_schemas.events import RequestEvent
from stillwatch_streams.ingest import Ingest
from stillwatch_streams.replay.labels import Label
from stillwatch_streams.replay.run import Job, Summary, replay
from stillwatch_streams.replay.stopping import StopFlag, stop_on_signals
from stillwatch_streams.sources import TimeRange, open_source
from support.builders import T0, make_event

FILES = {
    "alerts.jsonl",
    "directives.jsonl",
    "dlq.jsonl",
    "accounts.csv",
    "campaigns.csv",
    "summary.json",
    "report.html",
}
CONFIG = EngineConfig(hard_ceiling_per_minute=30)
"""A ceiling so low that the burst below passes it: an alert that needs no population."""


def traffic() -> list[RequestEvent]:
    """Ten calm accounts over an hour, and one that sends 40 requests in one minute."""
    calm = [(T0 + n * 36_000, f"calm-{n % 10}") for n in range(100)]
    burst = [(T0 + 600_000 + n * 1_000, "burst") for n in range(40)]
    return [
        make_event(event_id=f"e{n}", ts=ts, account_id=account) for n, (ts, account) in enumerate(sorted(calm + burst))
    ]


def lines(events: list[RequestEvent]) -> bytes:
    return b"".join(msgspec.json.encode(event) + b"\n" for event in events)


def job_of(path: Path, out: Path, **overrides: Any) -> Job:
    options = {
        "sources": [open_source(str(path), TimeRange())],
        "ingest": Ingest(),
        "config": CONFIG,
        "partitions": 3,
        "out": out,
    }
    return Job(**(options | overrides))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "events.jsonl"
    file.write_bytes(lines(traffic()))
    return file


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_file_is_there_and_agrees_with_the_others(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary = replay(job_of(path, out))
    assert {file.name for file in out.iterdir()} == FILES
    findings = [decode_finding(line) for line in (out / "alerts.jsonl").read_bytes().splitlines()]
    assert {finding.subject for finding in findings} == {"burst"}
    accounts = {row["account_id"]: row for row in rows(out / "accounts.csv")}
    assert len(accounts) == 11
    assert accounts["burst"]["first_alert_ts"] == str(findings[0].time_ms)
    assert accounts["burst"]["events"] == "40"
    assert accounts["calm-3"]["first_alert_ts"] == ""
    document = json.loads((out / "summary.json").read_bytes())
    assert (document["events"], document["accounts"], document["alerts"]) == (140, 11, len(findings))
    assert document["config_hash"] == CONFIG.hash()
    assert (summary.interrupted, summary.error, summary.evaluation) == (False, None, None)
    scores = [float(row["score"]) for row in rows(out / "accounts.csv")]
    assert scores == sorted(scores, reverse=True)


def alert_ids(out: Path) -> list[str]:
    return [decode_finding(line).alert_uid for line in (out / "alerts.jsonl").read_bytes().splitlines()]


@pytest.mark.parametrize("partitions", [1, 2, 5])
def test_the_number_of_shards_does_not_change_which_account_is_caught(
    path: Path, tmp_path: Path, partitions: int
) -> None:
    replay(job_of(path, tmp_path / "one", partitions=3))
    replay(job_of(path, tmp_path / "other", partitions=partitions))
    assert alert_ids(tmp_path / "one") == alert_ids(tmp_path / "other")


def test_the_same_input_gives_the_same_bytes_again(path: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        replay(job_of(path, tmp_path / name))
    for file in FILES - {"summary.json", "report.html"}:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_bad_lines_are_listed_and_counted(path: Path, tmp_path: Path) -> None:
    path.write_bytes(b"{}\n" + path.read_bytes() + b"\xff\xfe\n")
    summary = replay(job_of(path, tmp_path / "out"))
    assert summary.events == 140
    assert summary.dead_letters == {"malformed_json": 1, "missing_field": 1}
    entries = [json.loads(line) for line in (tmp_path / "out" / "dlq.jsonl").read_bytes().splitlines()]
    assert [(entry["line"], entry["code"]) for entry in entries] == [(1, "missing_field"), (142, "malformed_json")]
    assert entries[0]["source"] == str(path)
    assert entries[0]["value"] == "{}"


def test_a_truncated_archive_gives_complete_files_and_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(gzip.compress(lines(traffic()))[:-200])
    summary = replay(job_of(path, tmp_path / "out"))
    assert 0 < summary.events < 140
    assert summary.error is not None
    assert "truncated" in summary.error
    assert {file.name for file in (tmp_path / "out").iterdir()} == FILES


def many(tmp_path: Path) -> Path:
    """More events than one chunk holds."""
    path = tmp_path / "many.jsonl"
    path.write_bytes(lines([make_event(event_id=f"m{n}", ts=T0 + n) for n in range(9_000)]))
    return path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_with_complete_files(tmp_path: Path, number: signal.Signals) -> None:
    before = signal.getsignal(number)

    def interrupt(_done: int, _size: int, _events: int) -> None:
        os.kill(os.getpid(), number)

    with stop_on_signals() as stop:
        summary = replay(job_of(many(tmp_path), tmp_path / "out"), stop=stop, progress=interrupt)
    assert signal.getsignal(number) is before
    assert summary.interrupted
    assert 0 < summary.events < 9_000
    assert {file.name for file in (tmp_path / "out").iterdir()} == FILES
    assert json.loads((tmp_path / "out" / "summary.json").read_bytes())["interrupted"] is True


def test_progress_ends_at_the_whole(tmp_path: Path) -> None:
    calls: list[tuple[int, int, int]] = []
    replay(job_of(many(tmp_path), tmp_path / "out"), progress=lambda *call: calls.append(call))
    assert calls[-1] == (calls[0][1], calls[0][1], 9_000)
    assert calls == sorted(calls)


def labelled(path: Path, out: Path, **overrides: Any) -> Summary:
    labels = {
        f"calm-{n}": Label(f"calm-{n}", distill=False, archetype="calm", campaign_id="", family="") for n in range(10)
    }
    labels["burst"] = Label("burst", distill=True, archetype="harvester", campaign_id="c1", family="fam")
    labels["elsewhere"] = Label("elsewhere", distill=True, archetype="harvester", campaign_id="c9", family="fam")
    return replay(job_of(path, out, labels=labels, **overrides))


def test_labels_bring_an_evaluation_of_the_accounts_that_were_seen(path: Path, tmp_path: Path) -> None:
    evaluation = labelled(path, tmp_path / "out").evaluation
    assert evaluation is not None
    assert (evaluation.benign_accounts, evaluation.distill_accounts) == (10, 1)
    (campaign,) = evaluation.campaigns
    assert (campaign.campaign_id, campaign.exchanges, campaign.found) == ("c1", 40, True)
    assert 0 < campaign.leaked < 40
    assert evaluation.day_one_alerts == {"account": 1}


def test_event_labels_say_which_exchanges_can_leak(path: Path, tmp_path: Path) -> None:
    burst = [event.event_id for event in traffic() if event.account_id == "burst"]
    evaluation = labelled(path, tmp_path / "out", attack_events=dict.fromkeys(burst[:5], "c1")).evaluation
    assert evaluation is not None
    assert evaluation.campaigns[0].exchanges == 5


def test_nobody_asking_to_stop_is_the_default() -> None:
    assert not StopFlag().requested
