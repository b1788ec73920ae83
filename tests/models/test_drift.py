"""Drift: the day's course is none, a change is found and dated, and the state is plain numbers."""

from __future__ import annotations

import math
import random

import pytest
from stillwatch_models.learners.drift import DriftWatch

HOUR = 3_600.0
DAYS = 24


def course(hour: int, rng: random.Random, level: float = 0.4) -> float:
    """A number that breathes with the day."""
    return level + 0.1 * math.sin(2 * math.pi * hour / 24) + rng.gauss(0, 0.01)


def watch_of(days: int, seed: int, *, shift_at: int = 10**9, shift: float = 0.0) -> tuple[DriftWatch, list[int]]:
    """A watch after so many days, and the hours in which it found a drift."""
    rng, watch, found = random.Random(seed), DriftWatch(HOUR), []
    for hour in range(days * 24):
        level = 0.4 + (shift if hour >= shift_at else 0.0)
        if watch.update(1_000 + hour, {"one_shot": course(hour, rng, level), "steady": rng.gauss(0.5, 0.01)}):
            found.append(hour)
    return watch, found


def test_days_and_nights_are_no_drift() -> None:
    assert sum(len(watch_of(DAYS, seed)[1]) for seed in range(5)) == 0


@pytest.mark.parametrize("shift", [-0.1, 0.1])
def test_a_change_of_level_is_found_within_a_day_and_dated(shift: float) -> None:
    changed = 10 * 24 + 7
    watch, found = watch_of(DAYS, 1, shift_at=changed, shift=shift)
    assert changed < found[0] <= changed + 24
    assert -12 <= watch.since - 1_000 - changed <= 72  # the season is learned anew for some days
    assert watch.found >= 1


def test_nothing_is_cut_while_nothing_is_known() -> None:
    watch = DriftWatch(HOUR)
    assert watch.since == 0
    assert [watch.update(hour, {"one_shot": float(hour % 2)}) for hour in range(12)] == [[]] * 12


def test_a_restored_watch_goes_on_to_the_last_bit() -> None:
    rng = random.Random(4)
    values = [{"a": course(hour, rng, 0.3 + 0.2 * (hour > 200)), "b": rng.random()} for hour in range(400)]
    whole, first, second = DriftWatch(HOUR), DriftWatch(HOUR), DriftWatch(HOUR)
    expected = [whole.update(hour, value) for hour, value in enumerate(values)]
    found = [first.update(hour, values[hour]) for hour in range(211)]
    second.load(first.dump())
    found += [second.update(hour, values[hour]) for hour in range(211, 400)]
    assert found == expected
    assert any(expected)
    assert second.dump() == whole.dump()


def test_epochs_of_a_week_have_one_season() -> None:
    watch = DriftWatch(7 * 86_400.0)
    assert [watch.update(week, {"a": 0.5}) for week in range(30)] == [[]] * 30
