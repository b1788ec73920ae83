"""Live pacing: due times without a clock."""

from __future__ import annotations

from itertools import islice

import pytest
from stillwatch_schemas.errors import ConfigError
from stillwatch_streams.simulator import generate, load_scenario
from stillwatch_streams.simulator.live import moved, paced


def test_due_times_keep_distances_divided_by_speed() -> None:
    events = list(islice(generate(load_scenario("tiny"), 1, 0), 200))
    due = list(paced(events, 1_000_000, speed=60.0))
    assert due[0] == (1_000_000, events[0])
    for at, item in due:
        assert at == 1_000_000 + int((item.event.ts - events[0].event.ts) / 60)


def test_bare_events_are_paced_too() -> None:
    events = [item.event for item in islice(generate(load_scenario("tiny"), 1, 0), 5)]
    assert [event for _, event in paced(events, 0)] == events


def test_a_moved_event_keeps_the_accounts_age() -> None:
    event = next(generate(load_scenario("tiny"), 1, 0)).event
    later = moved(event, event.ts + 5_000)
    assert event.account_created_at is not None
    assert later.account_created_at == event.account_created_at + 5_000
    assert later.prompt == event.prompt


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_a_speed_must_be_positive(speed: float) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        next(paced([], 0, speed))
