"""The demo's world in time lapse: a history that ends now, and what comes after it.

Everything runs `speed` times faster than in the scenario, history too: otherwise every account would seem to have
become `speed` times busier at the moment when the live part begins. The engine's time spans shrink alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
from stillwatch_models.config import EngineConfig, PolicyConfig
from stillwatch_schemas.events import RequestEvent
from stillwatch_streams.simulator import Label, LabelledEvent, generate, labels, load_scenario
from stillwatch_streams.simulator.live import moved

SCENARIO_PATH = Path(__file__).with_name("live.toml")
HISTORY_DAYS = 1.0 + 10.0 / 24.0
"""Up to ten in the morning of the second day, when people are at work."""
DAY_MS = 86_400_000


class World:
    """One run's traffic; equal seeds give equal traffic."""

    def __init__(self, *, seed: int, speed: float) -> None:
        self.scenario = load_scenario(SCENARIO_PATH)
        self.speed = speed
        self.truth: dict[str, Label] = {label.account_id: label for label in labels(self.scenario, seed)}
        self._events = generate(self.scenario, seed, 0)
        self._history: list[LabelledEvent] = []
        self._next: LabelledEvent | None = None

    def prepare(self) -> int:
        """Make the history (a few seconds of work); returns its number of events."""
        border_ms = int(HISTORY_DAYS * DAY_MS)
        for labelled in self._events:
            if labelled.event.ts >= border_ms:
                self._next = labelled
                break
            self._history.append(labelled)
        return len(self._history)

    def history(self, live_from_ms: int) -> Iterator[LabelledEvent]:
        """The past, its end at `live_from_ms`."""
        for labelled in self._history:
            yield labelled._replace(event=self._at(labelled.event, live_from_ms))

    def live(self, live_from_ms: int) -> Iterator[LabelledEvent]:
        """What is to come, each with the `ts` at which it is due. May be called once."""
        first = [] if self._next is None else [self._next]
        for labelled in chain(first, self._events):
            yield labelled._replace(event=self._at(labelled.event, live_from_ms))

    def _at(self, event: RequestEvent, live_from_ms: int) -> RequestEvent:
        return moved(event, live_from_ms + int((event.ts - HISTORY_DAYS * DAY_MS) / self.speed))


def engine_config(speed: float) -> EngineConfig:
    """The engine's settings for a world that runs so much faster; enforcing, so that effects can be seen."""

    def lapsed(seconds: float) -> float:
        return max(1.0, seconds / speed)

    return EngineConfig(
        pane_seconds=2.0,
        lateness_seconds=2.0,
        evidence_block_seconds=lapsed(300.0),
        reference_seconds=lapsed(1_800.0),
        teach_seconds=lapsed(600.0),
        hard_ceiling_per_minute=round(3_000 * speed),
        group_window_seconds=max(2.0, lapsed(600.0)),
        refresh_seconds=60.0,
        policy=PolicyConfig(mode="enforce", directive_ttl_seconds=600, max_account_share=0.1),
    )


def as_toml(section: str, fields: Mapping[str, Any]) -> str:
    """One section of a settings file, its sub-sections after it."""
    # JSON's spelling of numbers, strings and booleans is TOML's too.
    plain = [f"{name} = {msgspec.json.encode(v).decode()}" for name, v in fields.items() if not isinstance(v, dict)]
    nested = [as_toml(f"{section}.{name}", value) for name, value in fields.items() if isinstance(value, dict)]
    return "\n".join([f"[{section}]", *plain, "", *nested])
