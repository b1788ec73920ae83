"""What `comparison.json` holds."""

from __future__ import annotations

import msgspec

from stillwatch_streams.replay.comparison.figures import LabelledDifferences
from stillwatch_streams.replay.comparison.incidents import IncidentDifferences
from stillwatch_streams.replay.comparison.settings import SettingDifference
from stillwatch_streams.replay.summary import Summary


class Side(msgspec.Struct, frozen=True):
    """One of the two runs."""

    name: str
    """The configuration, as it was given."""
    folder: str
    """Where this run's replay files lie, inside the output folder."""
    config_hash: str
    seconds: float
    """Reading the input and this side's detection, as if it had been alone."""
    events_per_s: float
    incidents: int
    alerts: int
    alerts_by_kind: dict[str, int]
    accounts_alerted: int
    directives: dict[str, int]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """`comparison.json`."""

    a: Side
    b: Side
    events: int
    accounts: int
    first_ts: int | None
    last_ts: int | None
    sources: list[str]
    interrupted: bool
    error: str | None
    settings: tuple[SettingDifference, ...]
    incidents: IncidentDifferences
    labelled: LabelledDifferences | None
    """Null without labels."""


def side_of(name: str, folder: str, summary: Summary) -> Side:
    """A run in short; its whole summary lies in its folder."""
    return Side(
        name=name,
        folder=folder,
        config_hash=summary.config_hash,
        seconds=summary.seconds,
        events_per_s=summary.events_per_s,
        incidents=summary.incidents,
        alerts=summary.alerts,
        alerts_by_kind=summary.alerts_by_kind,
        accounts_alerted=summary.accounts_alerted,
        directives=summary.directives,
    )
