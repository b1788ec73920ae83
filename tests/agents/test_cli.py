"""The command line: every command has help with an example, mistakes are one line, light commands stay light."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version

import pytest
from stillwatch_agents.cli import COMMANDS, command_line
from typer.testing import CliRunner

GROUPS = {"topics": ("list", "create", "check"), "dlq": ("list", "show", "redrive")}


def stillwatch(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stillwatch_agents", *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("path", [(name, sub) for name in COMMANDS for sub in GROUPS.get(name, ("",))], ids=" ".join)
def test_every_command_has_help_with_an_example(path: tuple[str, str]) -> None:
    arguments = [part for part in path if part]
    answer = CliRunner().invoke(command_line(path[0]), [*arguments, "--help"])
    assert answer.exit_code == 0
    assert "Example:" in answer.output


def test_help_names_every_command() -> None:
    answer = CliRunner().invoke(command_line(), ["--help"])
    assert answer.exit_code == 0
    assert all(name in answer.output for name in COMMANDS)


def test_the_version_is_told() -> None:
    answer = CliRunner().invoke(command_line(), ["--version"])
    assert (answer.exit_code, answer.output) == (0, f"stillwatch {version('stillwatch')}\n")


def test_a_wrong_setting_is_one_line_and_exit_2() -> None:
    answer = stillwatch("topics", "list", "--config", "/nonexistent.toml")
    assert answer.returncode == 2
    assert answer.stderr.strip().splitlines() == [
        "stillwatch: Can't read the configuration file /nonexistent.toml: No such file or directory."
    ]


def test_the_topics_table_for_machines() -> None:
    answer = CliRunner().invoke(command_line("topics"), ["topics", "list", "--json"])
    names = {topic["name"]: topic["config"]["cleanup.policy"] for topic in json.loads(answer.output)}
    assert names["llm.enforcement.v1"] == "compact"
    assert names["llm.requests.v1.dlq"] == "delete"


def test_topic_names_are_whole_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    answer = CliRunner().invoke(command_line("topics"), ["topics", "list"])
    for name in ("llm.enforcement.acks.v1", "stillwatch.checkpoints.account.v1"):
        assert name in answer.output
    assert "as received; reason and origin in" in answer.output, "words are not cut"


def test_doctor_without_a_broker_says_what_to_do_and_how_much_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLWATCH_BROKER__BOOTSTRAP", "127.0.0.1:1")
    answer = CliRunner().invoke(command_line("doctor"), ["doctor"])
    assert answer.exit_code == 1
    assert "Can't reach Kafka at 127.0.0.1:1 (PLAINTEXT): no broker answers\n" in answer.output
    assert "mend: Check broker.bootstrap" in answer.output
    assert answer.output.endswith("1 of 8 checks found a problem, 3 not looked at.\n")


def test_doctor_finds_a_sketch_key_that_is_too_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLWATCH_BROKER__BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("STILLWATCH_SOURCE__SKETCH_KEY", "too short")
    answer = CliRunner().invoke(command_line("doctor"), ["doctor", "--json"])
    checks = {check["check"]: check for check in json.loads(answer.output.splitlines()[-1])["checks"]}
    assert checks["sketch key"]["outcome"] == "problem"
    assert "openssl rand" in checks["sketch key"]["mend"]
    assert "too short" not in answer.output


def test_light_commands_do_not_import_the_engine() -> None:
    program = (
        "import sys\n"
        "from stillwatch_agents.cli import command_line\n"
        "command_line('topics')\n"
        "print([name for name in ('faust', 'scipy', 'river') if name in sys.modules])\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
