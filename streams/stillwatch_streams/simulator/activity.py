"""How busy an account is at a given time: hours of the day, weekends, surges, ramps and shifts, multiplied."""

from __future__ import annotations

from stillwatch_streams.simulator.profile import Hours
from stillwatch_streams.simulator.scenario import Handover, Ramp, Surge
from stillwatch_streams.simulator.timing import DAY, HOUR, Activity

_SATURDAY = 5
_EPOCH_WEEKDAY = 3  # 1 January 1970 was a Thursday

_HOURS: dict[str, tuple[int, ...]] = {
    "around_the_clock": (1,) * 24,
    "waking": (2, 1, 1, 1, 1, 2, 4, 7, 10, 12, 13, 13, 12, 13, 13, 13, 13, 13, 13, 14, 14, 13, 10, 5),
    "office": (0, 0, 0, 0, 0, 0, 1, 4, 11, 16, 17, 16, 11, 15, 17, 16, 14, 9, 4, 2, 1, 1, 0, 0),
    "evening": (2, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 5, 5, 6, 7, 9, 11, 13, 15, 18, 20, 20, 14, 6),
    "night": (16, 18, 18, 17, 14, 8, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 5, 8, 12),
}


def daily(hours: Hours, weekend: float, utc_offset_hours: float) -> Activity:
    """The ordinary week of an account; the mean over a weekday is 1."""
    weights = _HOURS[hours]
    mean = sum(weights) / 24
    shares = tuple(weight / mean for weight in weights)
    offset = int(utc_offset_hours * HOUR)

    def activity(at_ms: int) -> float:
        local = at_ms + offset
        weekday = (local // DAY + _EPOCH_WEEKDAY) % 7
        return shares[local // HOUR % 24] * (weekend if weekday >= _SATURDAY else 1.0)

    return activity


def surging(activity: Activity, surge: Surge, start_ms: int) -> Activity:
    """Busier inside a window that starts `surge.day` days after `start_ms`."""
    begin = start_ms + int(surge.day * DAY)
    end = begin + int(surge.hours * HOUR)
    return lambda at_ms: activity(at_ms) * surge.factor if begin <= at_ms < end else activity(at_ms)


def ramping(activity: Activity, ramp: Ramp, start_ms: int) -> Activity:
    """Grows evenly from `ramp.from_share` at `start_ms` to all of it."""
    length = ramp.over_days * DAY

    def activity_now(at_ms: int) -> float:
        progress = min(1.0, max(0.0, (at_ms - start_ms) / length))
        return activity(at_ms) * (ramp.from_share + (1.0 - ramp.from_share) * progress)

    return activity_now


def in_shifts(activity: Activity, handover: Handover, start_ms: int, position: int, accounts: int) -> Activity:
    """At work only while it is this account's turn; `position` is its number among `accounts`."""
    crews = max(1, -(-accounts // handover.active))
    mine = position // handover.active
    shift = int(handover.shift_hours * HOUR)
    return lambda at_ms: activity(at_ms) if (at_ms - start_ms) // shift % crews == mine else 0.0
