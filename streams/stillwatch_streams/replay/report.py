"""The report: one self-contained page."""

from __future__ import annotations

from typing import Any

import msgspec

from stillwatch_streams.replay.evaluation import AccountResult
from stillwatch_streams.replay.labels import Label
from stillwatch_streams.replay.results import Note


class Story(msgspec.Struct, frozen=True):
    """What the report tells of."""

    summary: Any
    accounts: list[AccountResult]
    notes: list[Note]
    labels: dict[str, Label]


def report_html(story: Story) -> bytes:
    """The page."""
    return f"<!doctype html><title>{len(story.accounts)}</title>".encode()
