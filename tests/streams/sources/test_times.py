"""Times on the command line."""

from __future__ import annotations

import pytest
from stillwatch_schemas.errors import ConfigError
from stillwatch_streams.sources.times import TimeRange, parse_range, parse_time

NOON = 1_767_268_800_000


@pytest.mark.parametrize(
    "text",
    ["1767268800000", "2026-01-01T12:00:00Z", "2026-01-01T12:00:00", "2026-01-01T14:00:00+02:00", "2026-01-01 12:00"],
)
def test_ways_to_write_noon(text: str) -> None:
    assert parse_time(text, "--from") == NOON


def test_nonsense_names_the_option() -> None:
    with pytest.raises(ConfigError, match="--to 'tomorrow'"):
        parse_range(None, "tomorrow")


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing lies between"):
        parse_range("2026-01-02", "2026-01-01")


def test_the_start_belongs_to_the_range_and_the_end_does_not() -> None:
    between = TimeRange(10, 20)
    assert [ts in between for ts in (9, 10, 19, 20)] == [False, True, True, False]
    assert 5 in TimeRange()
