"""Throttles: what a limit lets through, over time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from stillwatch_schemas.directives import Params
from stillwatch_serving.buckets import DAY_MS, Refusal, Throttle
from support.builders import T0


def passed(throttle: Throttle, times: list[int], tokens: int = 0) -> int:
    """How many of the requests at these times pass."""
    count = 0
    for at in times:
        if throttle.refusal(at) is None:
            throttle.take()
            throttle.settle(tokens)
            count += 1
    return count


def test_rpm_lets_ten_seconds_worth_through_at_once_and_then_refills_evenly() -> None:
    throttle = Throttle(Params(rpm=60), T0)
    assert passed(throttle, [T0] * 100) == 10
    assert passed(throttle, [T0 + 1_000] * 100) == 1
    assert throttle.refusal(T0 + 1_000) == Refusal("rpm", 1)


def test_a_small_rpm_still_lets_one_request_through() -> None:
    throttle = Throttle(Params(rpm=1), T0)
    assert passed(throttle, [T0, T0 + 59_000]) == 1
    assert throttle.refusal(T0 + 60_000) is None


@given(st.integers(1, 500), st.lists(st.integers(0, 300_000), max_size=300))
def test_rpm_is_never_exceeded_by_more_than_the_burst(rpm: int, offsets: list[int]) -> None:
    throttle = Throttle(Params(rpm=rpm), T0)
    times = sorted(T0 + offset for offset in offsets)
    allowed = max(1.0, rpm / 6) + rpm * (max(offsets, default=0) / 60_000)
    assert passed(throttle, times) <= allowed + 1e-6


def test_tokens_are_charged_afterwards_and_a_debt_has_to_be_worked_off() -> None:
    throttle = Throttle(Params(tpm=600), T0)
    assert passed(throttle, [T0], tokens=1_200) == 1
    assert throttle.refusal(T0) == Refusal("tpm", 61)
    assert throttle.refusal(T0 + 61_000) is None


def test_the_daily_allowance_comes_back_at_midnight() -> None:
    throttle = Throttle(Params(tokens_per_day=100), T0)
    passed(throttle, [T0], tokens=100)
    assert throttle.refusal(T0 + 1_000) == Refusal("tokens_per_day", 86_399)
    assert throttle.refusal(T0 + DAY_MS) is None


def test_concurrency_counts_requests_in_flight() -> None:
    throttle = Throttle(Params(concurrency=2), T0)
    throttle.take()
    throttle.take()
    assert throttle.refusal(T0) == Refusal("concurrency", 1)
    throttle.settle(0)
    assert throttle.refusal(T0) is None


def test_the_directives_retry_after_is_the_least_one_given() -> None:
    throttle = Throttle(Params(rpm=60, retry_after_s=30), T0)
    passed(throttle, [T0] * 10)
    assert throttle.refusal(T0) == Refusal("rpm", 30)


def test_a_new_revision_changes_the_limit_but_not_what_was_used() -> None:
    throttle = Throttle(Params(rpm=600), T0)
    passed(throttle, [T0] * 100)
    throttle.update(Params(rpm=60), T0)
    assert throttle.refusal(T0) is not None
    assert passed(throttle, [T0 + 1_000] * 5) == 1


def test_a_clock_that_steps_back_takes_nothing_away() -> None:
    throttle = Throttle(Params(rpm=60), T0)
    passed(throttle, [T0] * 5)
    assert passed(throttle, [T0 - 3_600_000] * 100) == 5


def test_node_share_divides_the_limit_between_nodes() -> None:
    throttle = Throttle(Params(rpm=120), T0, node_share=0.5)
    assert passed(throttle, [T0] * 100) == 10
