"""Numbers and times as the report writes them."""

from __future__ import annotations

import datetime as dt

from stillwatch_streams.replay.statistics import Mean, Share
from stillwatch_streams.replay.summary import Summary

TENTH = 0.1


def per_cent(rate: float) -> str:
    """A rate with as many digits as it deserves."""
    digits = 1 if rate == 0 or rate >= TENTH else 2
    return f"{rate:.{digits}%}"


def share(one: Share) -> str:
    """Hits, total and interval."""
    return f"{one.hits:,} of {one.total:,} ({interval(one)})"


def mean(one: Mean) -> str:
    """A mean and its interval."""
    return f"{per_cent(one.rate)} ({interval(one)})"


def stacked(one: Share | Mean) -> str:
    """A rate with its 95 % interval below it, as HTML for a narrow column."""
    counted = f"{one.hits:,} of {one.total:,}; " if isinstance(one, Share) else ""
    return below(per_cent(one.rate), f"{counted}{per_cent(one.low)} to {per_cent(one.high)}")


def below(figure: str, remark: str) -> str:
    """A figure with a remark in small print below it, as HTML; both are safe text."""
    return f"{figure}<br><small class='muted'>{remark}</small>"


def interval(one: Share | Mean) -> str:
    """The 95 % interval."""
    return f"95 %: {per_cent(one.low)} to {per_cent(one.high)}"


def time_of(ts: int | None) -> str:
    """An event time in UTC, to the second; empty for none."""
    return "" if ts is None else dt.datetime.fromtimestamp(ts / 1_000, tz=dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def short_time(ts: int | None) -> str:
    """An event time in UTC, to the minute and without the year; empty for none."""
    return "" if ts is None else dt.datetime.fromtimestamp(ts / 1_000, tz=dt.UTC).strftime("%-d %b %H:%M")


def span(summary: Summary) -> str:
    """From when to when the events reach."""
    if summary.first_ts is None or summary.last_ts is None:
        return "no events"
    days = (summary.last_ts - summary.first_ts) / 86_400_000
    return f"{time_of(summary.first_ts)} to {time_of(summary.last_ts)} UTC ({days:.1f} days)"
