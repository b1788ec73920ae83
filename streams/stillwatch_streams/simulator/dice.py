"""The one place where random generators are made: each is named by a key, so equal keys give equal draws everywhere."""

from __future__ import annotations

from random import Random


def dice(key: str) -> Random:
    """A generator of its own for `key`; the same on every machine and under every PYTHONHASHSEED."""
    return Random(key)  # noqa: S311 # simulated traffic must repeat; nothing secret is drawn
