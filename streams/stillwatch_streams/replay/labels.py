"""Ground truth, read for the evaluation only; nothing of it reaches a detector."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path

import msgspec
from stillwatch_schemas.errors import ConfigError

ACCOUNT_COLUMNS = ("account_id", "label", "archetype", "campaign_id", "family")
EVENT_COLUMNS = ("event_id", "is_attack", "campaign_id")


class Label(msgspec.Struct, frozen=True):
    """What an account really is."""

    account_id: str
    distill: bool
    archetype: str
    campaign_id: str
    """Empty for a benign account."""
    family: str


def read_labels(path: Path) -> dict[str, Label]:
    """`labels.csv` by account; ConfigError names file and line."""
    labels: dict[str, Label] = {}
    for line, row in _rows(path, ACCOUNT_COLUMNS):
        if row["label"] not in ("benign", "distill"):
            raise ConfigError(f"{path}, line {line}: label is {row['label']!r}; it must be benign or distill")
        account = row["account_id"]
        labels[account] = Label(account, row["label"] == "distill", row["archetype"], row["campaign_id"], row["family"])
    return labels


def read_attack_events(path: Path) -> dict[str, str]:
    """`event_labels.csv` or `.csv.gz`: the campaign of each attack exchange, by event id."""
    return {row["event_id"]: row["campaign_id"] for _, row in _rows(path, EVENT_COLUMNS) if row["is_attack"] == "1"}


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows with their line numbers; all `columns` are there."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        rows = csv.DictReader(io.StringIO(raw.decode("utf-8")))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the labels cannot be read: {error}") from error
    missing = [name for name in columns if name not in (rows.fieldnames or ())]
    if missing:
        raise ConfigError(f"{path}: column {missing[0]!r} is missing; expected {','.join(columns)}")
    for row in rows:
        if None in row or None in row.values():
            raise ConfigError(f"{path}, line {rows.line_num}: has not as many fields as the header")
        yield rows.line_num, row
