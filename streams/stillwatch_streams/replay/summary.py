"""What `summary.json` holds."""

from __future__ import annotations

import msgspec
from stillwatch_models.config import EngineConfig

from stillwatch_streams.replay.evaluation import Evaluation


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """`summary.json`."""

    events: int
    seconds: float
    """Reading, detecting and writing alerts; without evaluation and report."""
    events_per_s: float
    cpu_seconds: float
    """Processor time of the same, of all processes that took part; without starting up."""
    busiest_cpu_seconds: float
    """Processor time of the busiest of them: what the clock could show, had each a core of its own."""
    alerts: int
    """Alert messages."""
    incidents: int
    """Alerts that opened an incident."""
    alerts_by_kind: dict[str, int]
    directives: dict[str, int]
    accounts: int
    accounts_alerted: int
    dead_letters: dict[str, int]
    """By code."""
    first_ts: int | None
    last_ts: int | None
    partitions: int
    sources: list[str]
    config_hash: str
    config: EngineConfig
    interrupted: bool
    error: str | None
    """Why reading stopped early, if it did."""
    evaluation: Evaluation | None = None
