"""When a client calls: arrivals, sittings, closed loops and batches, as a lazy stream of ticks in time order.

Times here are milliseconds since the epoch; randomness comes from the caller's generator only. Activity (hours of the
day, weekends, surges, ramps, shifts) is a function of time that is constant over steps of half an hour, and arrivals
are drawn exactly under it by rescaling time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple, TypeAlias

from stillwatch_streams.simulator.profile import Batches, Loop, Sessions, Steady, Timing

SECOND = 1_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
STEP = HOUR // 2

Activity: TypeAlias = Callable[[int], float]
"""Relative activity at a time: 1 is average, 0 is asleep."""

_LONGEST_SITTING_TURNS = 400


class Tick(NamedTuple):
    """One call to be made."""

    at_ms: int
    conversation: int
    turn: int
    room_ms: int | None
    """Time until the loop's next call, which the answer can't exceed; None where nothing waits for the answer."""


class Span(NamedTuple):
    """The part of time that is simulated, [start_ms, end_ms)."""

    start_ms: int
    end_ms: int


def ticks(timing: Timing, scale: float, activity: Activity, span: Span, rng: Random) -> Iterator[Tick]:
    """The calls of one account. `scale` multiplies its rate."""
    match timing:
        case Sessions():
            return _sessions(timing, scale, activity, span, rng)
        case Steady():
            return _steady(timing, scale, activity, span, rng)
        case Loop():
            return _loops(timing, scale, activity, span, rng)
        case Batches():
            return _batches(timing, scale, activity, span, rng)


def arrivals(per_day: float, cv: float, activity: Activity, span: Span, rng: Random) -> Iterator[int]:
    """Times of a renewal process with gamma gaps (cv 1: Poisson), slowed and quickened by `activity`."""
    shape = 1.0 / (cv * cv)
    need = rng.gammavariate(shape, 1.0 / shape) * (rng.random() if cv < 1.0 else 1.0)
    per_ms = per_day / DAY
    at = span.start_ms
    while at < span.end_ms:
        until = min(span.end_ms, at - at % STEP + STEP)
        rate = per_ms * activity(at)
        mass = rate * (until - at)
        if mass < need:
            need -= mass
            at = until
            continue
        at += int(need / rate)
        if at >= span.end_ms:
            return
        yield at
        need = rng.gammavariate(shape, 1.0 / shape)


def _sessions(timing: Sessions, scale: float, activity: Activity, span: Span, rng: Random) -> Iterator[Tick]:
    stop = 1.0 / max(timing.turns, 1.0)
    free_at = span.start_ms
    for conversation, start in enumerate(arrivals(timing.per_day * scale, 1.0, activity, span, rng)):
        at = max(start, free_at)
        for turn in range(_LONGEST_SITTING_TURNS):
            if at >= span.end_ms:
                return
            yield Tick(at, conversation, turn, None)
            at += _pause(timing.think_seconds, timing.think_sigma, rng)
            if rng.random() < stop:
                break
        free_at = at


def _steady(timing: Steady, scale: float, activity: Activity, span: Span, rng: Random) -> Iterator[Tick]:
    for conversation, at in enumerate(arrivals(timing.per_day * scale, timing.cv, activity, span, rng)):
        yield Tick(at, conversation, 0, None)


def _loops(timing: Loop, scale: float, activity: Activity, span: Span, rng: Random) -> Iterator[Tick]:
    gap_ms = rng.uniform(*timing.gap_seconds) * SECOND
    cv = max(rng.uniform(*timing.gap_cv), 0.01)
    shape = 1.0 / (cv * cv)
    free_at = span.start_ms
    conversation = 0
    for start in arrivals(timing.runs_per_day * scale, 1.0, activity, span, rng):
        at = max(start, free_at)
        for _ in range(max(1, int(rng.lognormvariate(0.0, timing.calls_sigma) * timing.calls))):
            room = max(1, int(rng.gammavariate(shape, gap_ms / shape)))
            if at >= span.end_ms:
                return
            yield Tick(at, conversation, 0, room)
            conversation += 1
            at += room
            if rng.random() < timing.stall_share:
                at += int(rng.uniform(*timing.stall_seconds) * SECOND)
        free_at = at


def _batches(timing: Batches, scale: float, activity: Activity, span: Span, rng: Random) -> Iterator[Tick]:
    every = int(timing.every_hours * HOUR)
    due = span.start_ms + int(rng.random() * every)
    gap_ms = rng.uniform(*timing.gap_seconds) * SECOND
    conversation = 0
    free_at = span.start_ms
    while due < span.end_ms:
        if rng.random() < activity(due):
            at = max(free_at, due + int(rng.random() * timing.jitter_minutes * 60 * SECOND))
            for _ in range(max(1, int(rng.lognormvariate(0.0, timing.records_sigma) * timing.records * scale))):
                if at >= span.end_ms:
                    return
                yield Tick(at, conversation, 0, None)
                conversation += 1
                at += int(rng.expovariate(1.0) * gap_ms)
            free_at = at
        due += every


def _pause(median_seconds: float, sigma: float, rng: Random) -> int:
    return max(1, int(rng.lognormvariate(0.0, sigma) * median_seconds * SECOND))
