"""`stillwatch simulate` as a user types it; the other commands are left out, as they take seconds to import."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from stillwatch_agents.commands.simulate import simulate
from stillwatch_schemas.errors import ConfigError
from stillwatch_streams.simulator import shipped
from support.waiting import until
from typer.testing import CliRunner, Result

APP = typer.Typer()
APP.command()(simulate)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(APP, arguments)


def test_list_names_every_scenario() -> None:
    done = run("--list", "--json")
    assert (done.exit_code, list(json.loads(done.stdout))) == (0, shipped())
    assert len(run("--list").stdout.splitlines()) == len(shipped())


def test_it_writes_and_reports(tmp_path: Path) -> None:
    done = run("--scenario", "tiny", "--seed", "5", "--days", "0.5", "--out", str(tmp_path), "--json")
    summary = json.loads(done.stdout)
    assert done.exit_code == 0
    assert summary["events"] > 200
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "event_labels.csv.gz",
        "events.jsonl.zst",
        "labels.csv",
        "scenario.toml",
    ]


def test_day_zero_can_be_set(tmp_path: Path) -> None:
    done = run("--scenario", "tiny", "--days", "0.1", "--start", "2031-01-06", "--out", str(tmp_path), "--json")
    assert json.loads(done.stdout)["start_ms"] == 1_925_424_000_000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--scenario", "nope"), "no scenario is called 'nope'"),
        (("--scenario", "tiny", "--format", "xml"), "allowed: jsonl.zst, jsonl, jsonl.gz"),
        (("--scenario", "tiny", "--days", "-1"), "must be above 0"),
        (("--scenario", "tiny", "--start", "soon"), "write it like"),
    ],
)
def test_mistakes_are_configuration_errors(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run(*arguments, "--out", str(tmp_path))
    assert isinstance(done.exception, ConfigError)
    assert said in str(done.exception)
    assert not list(tmp_path.iterdir())


def test_without_a_target_it_is_a_usage_error() -> None:
    assert run("--scenario", "tiny").exit_code == 2


async def test_interrupting_leaves_whole_files(tmp_path: Path) -> None:
    program = "import typer; from stillwatch_agents.commands.simulate import simulate; typer.run(simulate)"
    process = subprocess.Popen(  # noqa: ASYNC220 # the test only waits on its files
        [sys.executable, "-c", program, "--scenario", "demo", "--days", "400", "--out", str(tmp_path), "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        await until(lambda: any(path.stat().st_size > 100_000 for path in tmp_path.glob(".events*")), seconds=60)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 1
    assert json.loads(out)["complete"] is False
    assert (tmp_path / "events.jsonl.zst").stat().st_size > 100_000
