"""Times as a user types them: ISO 8601 or milliseconds since the epoch."""

from __future__ import annotations

import datetime as dt

import msgspec
from stillwatch_schemas.errors import ConfigError


class TimeRange(msgspec.Struct, frozen=True):
    """Event times to read, `start_ms` included, `end_ms` excluded; None leaves that side open."""

    start_ms: int | None = None
    end_ms: int | None = None

    def __contains__(self, ts: int) -> bool:
        return (self.start_ms is None or ts >= self.start_ms) and (self.end_ms is None or ts < self.end_ms)

    @property
    def bounded(self) -> bool:
        """Anything is left out at all."""
        return self.start_ms is not None or self.end_ms is not None


def parse_time(text: str, option: str) -> int:
    """Milliseconds since the epoch; a time without a zone is UTC. ConfigError names the option."""
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        time = dt.datetime.fromisoformat(text)
    except ValueError as error:
        message = f"{option} {text!r} is no time; give ISO 8601 (2026-03-04T12:00:00Z) or milliseconds since the epoch"
        raise ConfigError(message) from error
    aware = time if time.tzinfo else time.replace(tzinfo=dt.UTC)
    return round(aware.timestamp() * 1_000)


def parse_range(start: str | None, end: str | None) -> TimeRange:
    """The range of `--from` and `--to`; ConfigError where it is empty."""
    start_ms = parse_time(start, "--from") if start else None
    end_ms = parse_time(end, "--to") if end else None
    if start_ms is not None and end_ms is not None and start_ms >= end_ms:
        raise ConfigError(f"--from {start} is not before --to {end}: nothing lies between them")
    return TimeRange(start_ms, end_ms)
