"""Timing: rates, regularity, gaps and shifts come out as the scenario says."""

from __future__ import annotations

from itertools import pairwise
from statistics import fmean, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stillwatch_streams.simulator.activity import daily, in_shifts, ramping, surging
from stillwatch_streams.simulator.dice import dice
from stillwatch_streams.simulator.profile import Batches, Loop, Sessions, Steady, Timing
from stillwatch_streams.simulator.scenario import Handover, Ramp, Surge
from stillwatch_streams.simulator.timing import DAY, HOUR, Activity, Span, Tick, ticks

MONDAY = 1_772_409_600_000
SPAN = Span(MONDAY, MONDAY + 20 * DAY)


def always(_at_ms: int) -> float:
    return 1.0


def calls(timing: Timing, activity: Activity = always, seed: int = 1, span: Span = SPAN) -> list[Tick]:
    return list(ticks(timing, 1.0, activity, span, dice(str(seed))))


def gaps(found: list[Tick]) -> list[int]:
    return [after.at_ms - before.at_ms for before, after in pairwise(found)]


@pytest.mark.parametrize("cv", [0.1, 0.5, 1.0])
def test_steady_calls_keep_rate_and_regularity(cv: float) -> None:
    found = calls(Steady(per_day=200.0, cv=cv))
    assert len(found) / 20 == pytest.approx(200, rel=0.05)
    assert pstdev(gaps(found)) / fmean(gaps(found)) == pytest.approx(cv, rel=0.1)


def test_loops_have_the_published_gaps_with_stalls() -> None:
    timing = Loop(runs_per_day=1.0, calls=5_000.0, gap_seconds=(5.0, 5.0), gap_cv=(0.2, 0.2), stall_share=0.0)
    steady = gaps(calls(timing))[:3_000]
    assert fmean(steady) == pytest.approx(5_000, rel=0.05)
    assert pstdev(steady) / fmean(steady) == pytest.approx(0.2, rel=0.1)
    stalled = Loop(runs_per_day=1.0, calls=5_000.0, gap_seconds=(5.0, 5.0), gap_cv=(0.2, 0.2), stall_share=0.05)
    assert max(gaps(calls(stalled))[:3_000]) > 30_000


def test_loop_calls_leave_room_for_their_answer() -> None:
    found = calls(Loop(stall_share=0.0, runs_per_day=0.5))
    assert all(tick.room_ms is not None and tick.room_ms > 0 for tick in found)


def test_sittings_have_turns_that_count_up() -> None:
    found = calls(Sessions(per_day=4.0, turns=3.0))
    sittings = len({tick.conversation for tick in found})
    assert len(found) / sittings == pytest.approx(3.0, rel=0.2)
    for before, after in pairwise(found):
        assert after.turn == (before.turn + 1 if after.conversation == before.conversation else 0)


def test_batches_keep_their_timetable() -> None:
    found = calls(Batches(every_hours=6.0, jitter_minutes=0.0, records=5.0, gap_seconds=(0.1, 0.1)))
    starts = [after.at_ms for before, after in pairwise(found) if after.at_ms - before.at_ms > HOUR]
    assert {round(gap / HOUR) for gap in (b - a for a, b in pairwise(starts))} == {6}


def test_hours_of_the_day_follow_local_time() -> None:
    found = calls(Steady(per_day=300.0), daily("office", 0.0, 8.0))
    local = [(tick.at_ms + 8 * HOUR) // HOUR % 24 for tick in found]
    assert sum(8 <= hour < 18 for hour in local) > 0.85 * len(local)
    assert not any((tick.at_ms + 8 * HOUR - MONDAY) // DAY % 7 >= 5 for tick in found)


@pytest.mark.parametrize("hours", ["around_the_clock", "waking", "office", "evening", "night"])
def test_a_weekday_averages_to_one(hours: str) -> None:
    activity = daily(hours, 1.0, 0.0)  # type: ignore[arg-type] # parametrised over the literal's values
    assert fmean(activity(MONDAY + hour * HOUR) for hour in range(24)) == pytest.approx(1.0)


def test_a_ramp_grows_from_its_share_to_the_full_rate() -> None:
    found = calls(Steady(per_day=500.0), ramping(always, Ramp(from_share=0.1, over_days=10.0), MONDAY))
    per_day = [sum(1 for tick in found if (tick.at_ms - MONDAY) // DAY == day) for day in range(20)]
    assert per_day[0] == pytest.approx(500 * 0.145, rel=0.4)
    assert fmean(per_day[10:]) == pytest.approx(500, rel=0.1)


def test_a_surge_is_a_window() -> None:
    activity = surging(always, Surge(day=1.0, hours=2.0, factor=9.0), MONDAY)
    assert [activity(MONDAY + hours * HOUR) for hours in (23, 24, 25, 26)] == [1.0, 9.0, 9.0, 1.0]


def test_shifts_hand_over_and_never_overlap() -> None:
    handover = Handover(active=2, shift_hours=6.0)
    crews = [in_shifts(always, handover, MONDAY, position, 6) for position in range(6)]
    for hour in range(48):
        at_work = [position for position, activity in enumerate(crews) if activity(MONDAY + hour * HOUR)]
        assert len(at_work) == 2
        assert at_work[0] // 2 == hour // 6 % 3


@settings(max_examples=40, deadline=None)
@given(
    timing=st.sampled_from([Sessions(per_day=6.0), Steady(per_day=50.0, cv=0.3), Loop(calls=20.0), Batches()]),
    seed=st.integers(0, 10_000),
    hours=st.integers(1, 60),
)
def test_ticks_are_sorted_inside_the_span_and_repeatable(timing: Timing, seed: int, hours: int) -> None:
    span = Span(MONDAY + 7, MONDAY + 7 + hours * HOUR)
    found = calls(timing, seed=seed, span=span)
    assert all(span.start_ms <= tick.at_ms < span.end_ms for tick in found)
    assert all(gap >= 0 for gap in gaps(found))
    assert found == calls(timing, seed=seed, span=span)
