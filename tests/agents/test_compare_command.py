"""`stillwatch compare` as a user types it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import msgspec
import pytest
from stillwatch_agents.cli import command_line
from stillwatch_schemas.errors import StillwatchError
from support.builders import T0, make_event
from typer.testing import CliRunner, Result

LABELS = "account_id,label,archetype,campaign_id,family\nacct-0,distill,harvester,c1,f\nacct-1,benign,human,,\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Events, labels and configurations in the working directory."""
    monkeypatch.chdir(tmp_path)
    lines = [make_event(event_id=f"e{n}", ts=T0 + n * 60_000, account_id=f"acct-{n % 3}") for n in range(60)]
    Path("events.jsonl").write_bytes(b"\n".join(msgspec.json.encode(event) for event in lines))
    Path("labels.csv").write_text(LABELS)
    Path("same.toml").write_text("")
    Path("seed.toml").write_text("[engine]\nseed = 8\n")
    Path("litellm.toml").write_text("[engine]\nseed = 9\n[source]\nformat = 'litellm'\n")
    Path("unknown.toml").write_text("[engine]\nsede = 8\n")
    Path("broken.toml").write_text("[engine\n")
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command_line("compare"), ["compare", *map(str, arguments)])


def test_a_run_ends_with_a_readable_summary(folder: Path) -> None:
    result = run("default", "seed.toml", "events.jsonl", "--out", "out")
    assert result.exit_code == 0, result.output
    assert "60 events of 3 accounts, read once" in result.stdout
    assert "engine.seed 7 -> 8" in result.stdout
    assert {path.name for path in (folder / "out").iterdir()} == {"a", "b", "comparison.json", "comparison.html"}


@pytest.mark.usefixtures("folder")
def test_json_is_the_comparison_file() -> None:
    result = run("default", "seed.toml", "events.jsonl", "--out", "out", "--labels", "labels.csv", "--json")
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert printed == json.loads(Path("out/comparison.json").read_bytes())
    assert printed["labelled"]["shares"][0]["a"]["total"] == 1


@pytest.mark.usefixtures("folder")
def test_default_ignores_the_file_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLWATCH_CONFIG", "seed.toml")
    result = run("default", "seed.toml", "events.jsonl", "--out", "out", "--json")
    assert [one["a"] for one in json.loads(result.stdout)["settings"]] == [7]


@pytest.mark.usefixtures("folder")
def test_ablation_by_one_signal() -> None:
    arguments = ("--ablate", "default", "events.jsonl", "--labels", "labels.csv", "--signal", "volume", "--out", "out")
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "without volume" in result.stdout
    assert {path.name for path in Path("out").iterdir()} == {"all", "without-volume", "ablation.json", "ablation.html"}
    assert json.loads(run(*arguments, "--json").stdout)["without"][0]["signal"] == "volume"


WRONG = [
    (["default", "same.toml", "events.jsonl"], "give the same engine settings"),
    (["seed.toml", "seed.toml", "events.jsonl"], "give the same engine settings"),
    (["default", "litellm.toml", "events.jsonl"], "source.format differs"),
    (["default", "unknown.toml", "events.jsonl"], "engine.sede"),
    (["default", "broken.toml", "events.jsonl"], "not valid TOML"),
    (["default", "absent.toml", "events.jsonl"], "absent.toml"),
    (["default", "events.jsonl", "labels.csv"], "events.jsonl is no configuration"),
    (["default", "seed.toml"], "no SOURCE after default seed.toml"),
    (["default", "seed.toml", "absent.jsonl"], "absent.jsonl: no such file"),
    (["default", "seed.toml", "events.jsonl", "--event-labels", "labels.csv"], "--event-labels needs --labels"),
    (["--ablate", "default", "events.jsonl"], "--ablate needs --labels"),
    (["default", "seed.toml", "events.jsonl", "--signal", "volume"], "--signal needs --ablate"),
    (["--ablate", "default", "events.jsonl", "--labels", "labels.csv", "--signal", "vol"], "'vol' is no signal"),
    (["--ablate", "default", "--labels", "labels.csv"], "no SOURCE after default"),
]


@pytest.mark.parametrize(
    ("arguments", "words"), WRONG, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_mistakes_are_one_clear_line_and_write_nothing(folder: Path, arguments: list[str], words: str) -> None:
    result = run(*arguments, "--out", "out")
    assert isinstance(result.exception, StillwatchError)
    assert result.exception.exit_code == 2
    assert words in str(result.exception)
    assert not (folder / "out").exists()


def test_a_truncated_archive_writes_its_files_and_exits_with_2(folder: Path) -> None:
    Path("broken.jsonl.gz").write_bytes(gzip.compress(Path("events.jsonl").read_bytes())[:-40])
    result = run("default", "seed.toml", "broken.jsonl.gz", "--out", "out")
    assert result.exit_code == 2
    assert "truncated" in result.stderr
    assert (folder / "out" / "a" / "summary.json").exists()
