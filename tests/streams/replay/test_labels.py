"""Ground truth files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from stillwatch_schemas.errors import ConfigError
from stillwatch_streams.replay.labels import Label, read_attack_events, read_labels

ACCOUNTS = "account_id,label,archetype,campaign_id,family\na,benign,human,,\nb,distill,attack,c1,fam\n"
EVENTS = "event_id,is_attack,campaign_id\ne1,0,\ne2,1,c1\n"


def test_accounts(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(ACCOUNTS)
    assert read_labels(path) == {
        "a": Label("a", distill=False, archetype="human", campaign_id="", family=""),
        "b": Label("b", distill=True, archetype="attack", campaign_id="c1", family="fam"),
    }


@pytest.mark.parametrize("name", ["events.csv", "events.csv.gz"])
def test_attack_events(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(EVENTS.encode()) if name.endswith(".gz") else EVENTS.encode())
    assert read_attack_events(path) == {"e2": "c1"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("account,label\n", "column 'account_id' is missing"),
        ("", "column 'account_id' is missing"),
        (ACCOUNTS + "c,evil,x,,\n", r"line 4: label is 'evil'"),
        (ACCOUNTS + "c,benign\n", r"line 4: has not as many fields"),
        (ACCOUNTS + "c,benign,x,,,more\n", r"line 4: has not as many fields"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=complaint):
        read_labels(path)


@pytest.mark.parametrize(
    "content",
    [b"not gzip", gzip.compress(EVENTS.encode())[:20], gzip.compress(b"\xff\xfe")],
    ids=["not gzip", "cut short", "not UTF-8"],  # gzip writes the time, and all processes must name their tests alike
)
def test_an_unreadable_file_is_a_config_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "events.csv.gz"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_attack_events(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_labels(tmp_path / "absent.csv")
