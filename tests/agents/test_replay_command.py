"""`stillwatch replay` as a user types it."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from stillwatch_agents.cli import command_line
from stillwatch_schemas.codec import encode_verdict
from stillwatch_schemas.errors import SourceError, StillwatchError
from support.builders import T0, make_event, make_verdict
from typer.testing import CliRunner, Result

LABELS = "account_id,label,archetype,campaign_id,family\nacct-0,distill,harvester,c1,f\nacct-1,benign,human,,\n"


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    lines = [make_event(event_id=f"e{n}", ts=T0 + n * 60_000, account_id=f"acct-{n % 3}") for n in range(60)]
    path.write_bytes(b"\n".join(msgspec.json.encode(event) for event in lines))
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command_line("replay"), ["replay", *map(str, arguments)])


def test_a_run_ends_with_a_readable_summary(events: Path, tmp_path: Path) -> None:
    result = run(events, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "60 events of 3 accounts" in result.stdout
    assert str(tmp_path / "out" / "report.html") in result.stdout


def test_json_is_the_summary_file(events: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(LABELS)
    result = run(events, "--out", tmp_path / "out", "--labels", tmp_path / "labels.csv", "--partitions", 2, "--json")
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert printed == json.loads((tmp_path / "out" / "summary.json").read_bytes())
    assert (printed["partitions"], printed["evaluation"]["distill_accounts"]) == (2, 1)


def test_from_and_to_cut_the_input(events: Path, tmp_path: Path) -> None:
    result = run(events, "--out", tmp_path / "out", "--from", T0 + 600_000, "--to", "2026-01-01T00:20:00Z", "--json")
    assert json.loads(result.stdout)["events"] == 10


def test_the_configuration_file_reaches_the_engine(events: Path, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("[engine]\nseed = 99\n")
    result = run(events, "--out", tmp_path / "out", "--config", tmp_path / "own.toml", "--json")
    assert json.loads(result.stdout)["config"]["seed"] == 99


def test_verdicts_reach_the_detector(events: Path, tmp_path: Path) -> None:
    verdict = make_verdict(subject="acct-1", label="distillation", at=T0 + 600_000)
    (tmp_path / "verdicts.jsonl").write_bytes(encode_verdict(verdict))
    result = run(events, "--out", tmp_path / "out", "--verdicts", tmp_path / "verdicts.jsonl", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["accounts_alerted"] == 1
    first = (tmp_path / "out" / "accounts.csv").read_text().splitlines()[1]
    assert first.startswith("acct-1,")


def test_a_missing_source_is_one_clear_line_and_exit_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "stillwatch_agents", "replay", "absent.jsonl", "--out", "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("stillwatch: absent.jsonl: no such file")
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is a folder; name the files"):
        CliRunner().invoke(command_line("replay"), ["replay", str(tmp_path), "--out", "out"], catch_exceptions=False)


def test_a_run_without_events_says_where_to_look(events: Path, tmp_path: Path) -> None:
    result = run(events, "--out", tmp_path / "out", "--from", "2030-01-01T00:00:00Z")
    assert result.exit_code == 1, result.output
    assert "No event was read: check the SOURCE, --from and --to" in result.stdout


def test_a_truncated_archive_writes_its_files_and_exits_with_2(events: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl.gz"
    broken.write_bytes(gzip.compress(events.read_bytes())[:-40])
    result = run(broken, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "truncated" in result.stderr
    assert (tmp_path / "out" / "summary.json").exists()


@pytest.mark.parametrize(
    "arguments", [["--from", "yesterday"], ["--event-labels", "labels.csv"], ["--format", "csv"], ["--partitions", 0]]
)
def test_wrong_options_exit_with_2_and_write_nothing(
    events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[object]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("labels.csv").write_text("event_id,is_attack,campaign_id\n")
    result = run(events, "--out", tmp_path / "out", *arguments)
    code = result.exception.exit_code if isinstance(result.exception, StillwatchError) else result.exit_code
    assert code == 2
    assert not (tmp_path / "out").exists()
