"""What the report tells of."""

from __future__ import annotations

import msgspec
from stillwatch_models.accounts import AccountRow

from stillwatch_streams.replay.labels import Label
from stillwatch_streams.replay.results import Member, Note
from stillwatch_streams.replay.summary import Summary


class Story(msgspec.Struct, frozen=True):
    """A finished run: its summary, accounts by falling score, and alert messages."""

    summary: Summary
    accounts: list[AccountRow]
    notes: list[Note]
    labels: dict[str, Label]
    """Of the accounts that the evaluation counts; empty without labels."""
    members: list[Member] = []
    """Of reported campaigns."""
