"""What the report tells of."""

from __future__ import annotations

import msgspec
from stillwatch_models.accounts import AccountRow

from stillwatch_streams.replay.labels import Label
from stillwatch_streams.replay.results import Note
from stillwatch_streams.replay.summary import Summary


class Story(msgspec.Struct, frozen=True):
    """A finished run: its summary, accounts by falling score, alert messages, and labels (empty without)."""

    summary: Summary
    accounts: list[AccountRow]
    notes: list[Note]
    labels: dict[str, Label]
