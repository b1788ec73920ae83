"""Settings come from file and environment, and every mistake is named precisely."""

from __future__ import annotations

from pathlib import Path

import pytest
from stillwatch_schemas.errors import ConfigError
from stillwatch_streams.settings import Settings
from stillwatch_streams.settings_file import flatten, known_keys, load_settings

TOML = """
[broker]
bootstrap = "kafka-1:9092,kafka-2:9092"
security_protocol = "SASL_SSL"
sasl_password = "hunter2"

[engine]
pane_seconds = 5.0

[engine.policy]
mode = "enforce"
"""


def write(folder: Path, text: str) -> str:
    file = folder / "stillwatch.toml"
    file.write_text(text)
    return str(file)


def test_defaults_stand_without_file_and_environment() -> None:
    assert load_settings(env={}) == Settings()


def test_the_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    env = {"STILLWATCH_ENGINE__PANE_SECONDS": "2.5", "STILLWATCH_SERVICE__AGENTS": "account, policy"}
    settings = load_settings(write(tmp_path, TOML), env)
    assert settings.broker.bootstrap == "kafka-1:9092,kafka-2:9092"
    assert settings.engine.pane_seconds == 2.5
    assert settings.engine.policy.mode == "enforce"
    assert settings.service.agents == ("account", "policy")


def test_the_environment_names_the_file(tmp_path: Path) -> None:
    assert load_settings(env={"STILLWATCH_CONFIG": write(tmp_path, TOML)}).engine.pane_seconds == 5.0


@pytest.mark.parametrize(("word", "value"), [("true", True), ("0", False), ("No", False)])
def test_booleans_in_the_environment(word: str, value: bool) -> None:
    assert load_settings(env={"STILLWATCH_BROKER__SSL_CHECK_HOSTNAME": word}).broker.ssl_check_hostname is value


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[source]\nformat = 'xml'\n", ["source.format", "'xml'", "line 2", "native, litellm"]),
        ("[source]\n\npartition = 3\n", ["source.partition", "line 3", "Did you mean source.partitions?"]),
        ("[service]\nhttp_port = 70000\n", ["service.http_port", "70000", "line 2", "65535"]),
        ("[engine.policy]\nmode = 3\n", ["engine.policy.mode", "3", "line 2"]),
        ("[engine]\ndisabled_signals = ['volum']\n", ["engine.disabled_signals", "'volum'", "Did you mean volume?"]),
        ("[engines]\npane_seconds = 3\n", ["engines.pane_seconds", "line 2", "engine"]),
        ("[source]\npartitions = '4'\n", ["source.partitions", "'4'", "int"]),
        ("[source\n", ["not valid TOML"]),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, parts: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(write(tmp_path, text), env={})
    for part in [*parts, "stillwatch.toml"]:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "parts"),
    [
        ("STILLWATCH_SOURCE__FORMAT", "xml", ["source.format", "'xml'", "native, litellm"]),
        ("STILLWATCH_SERVICE__HTTP_PORT", "many", ["service.http_port", "'many'"]),
        ("STILLWATCH_SERVICE__HTTP_PROT", "1", ["service.http_prot", "service.http_port"]),
        ("STILLWATCH_ENGINE__PANE_SECONDS", "-1", ["engine.pane_seconds", "> 0"]),
        ("STILLWATCH_SERVICE__AGENTS", "account,grup", ["service.agents", "account, group, campaign, policy"]),
    ],
)
def test_a_mistake_in_the_environment_is_named(name: str, value: str, parts: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(env={name: value})
    for part in [*parts, name]:
        assert part in str(caught.value)


def test_an_absent_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        load_settings("/nonexistent/nowhere.toml", env={})


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    shown = dict(flatten(load_settings(write(tmp_path, TOML), env={})))
    assert shown["broker.sasl_password"] == "***"  # noqa: S105 - the mask is what we expect
    assert "hunter2" not in str(shown)
    with pytest.raises(ConfigError) as caught:
        load_settings(write(tmp_path, "[broker]\nsasl_password = 5\n"), env={})
    assert "5" not in str(caught.value).replace("line", "").partition("wrong")[0].partition("=")[2].partition("(")[0]


def test_every_setting_is_shown() -> None:
    assert set(dict(flatten(Settings()))) == set(known_keys())
