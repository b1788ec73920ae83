"""Panes and the watermark: late events, batches, the end of an input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stillwatch_models.panes import UNSEEN, PaneClock

TIMES = st.lists(st.integers(0, 100_000), min_size=1, max_size=40)


def clock() -> PaneClock:
    """Panes of 10 s, 30 s of lateness."""
    return PaneClock(10_000, 30_000)


def times(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def test_an_event_belongs_to_the_pane_of_its_time() -> None:
    assert clock().assign(times(0, 9_999, 10_000, 25_000)).pane.tolist() == [0, 0, 1, 2]


def test_a_pane_closes_when_the_watermark_passes_its_end() -> None:
    panes = clock()
    panes.assign(times(39_999))
    assert panes.close() == 0
    panes.assign(times(40_000))
    assert panes.close() == 1


def test_a_late_event_goes_into_the_oldest_open_pane() -> None:
    assigned = clock().assign(times(75_000, 45_000, 44_000, 1_000))
    assert assigned.pane.tolist() == [7, 4, 4, 4]
    assert assigned.late.tolist() == [False, False, False, True]


def test_nothing_is_closed_before_the_first_event() -> None:
    panes = clock()
    assert panes.close() == panes.close_all() == UNSEEN


def test_the_end_of_an_input_closes_what_has_begun() -> None:
    panes = clock()
    panes.assign(times(25_000))
    assert panes.close_all() == 3
    assert panes.close() == 3  # never goes back


@given(values=TIMES, cut=st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_batches_do_not_matter(values: list[int], cut: int) -> None:
    whole, split = clock(), clock()
    expected = whole.assign(times(*values))
    parts = [split.assign(times(*part)) for part in (values[:cut], values[cut:])]
    for name in ("pane", "max_before", "max_after", "late"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        assert joined.tolist() == getattr(expected, name).tolist()
    assert whole.max_ts == split.max_ts


@given(values=TIMES)
@settings(max_examples=60, deadline=None)
def test_no_event_ever_falls_into_a_closed_pane(values: list[int]) -> None:
    panes = clock()
    for value in values:
        closed = panes.closed_before
        assert panes.assign(times(value)).pane[0] >= closed
        assert panes.close() >= closed


@given(values=TIMES, at=st.integers(0, 39))
@settings(max_examples=60, deadline=None)
def test_a_clock_resumes_from_the_time_noted_with_an_event(values: list[int], at: int) -> None:
    at = min(at, len(values) - 1)
    expected = clock().assign(times(*values))
    resumed = clock()
    resumed.max_ts = int(expected.max_before[at])
    assert resumed.assign(times(*values[at:])).pane.tolist() == expected.pane[at:].tolist()


@pytest.mark.parametrize("lateness", [0, 5_000])
def test_less_lateness_closes_sooner(lateness: int) -> None:
    panes = PaneClock(10_000, lateness)
    panes.assign(times(15_000))
    assert panes.close() == 1
