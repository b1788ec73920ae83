"""Where a race takes place: one broker, its topics, a folder, and a core for the contestant alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import msgspec

from peers.topic import Topics


class Broker(Protocol):
    """What a race needs of its broker."""

    @property
    def version(self) -> str:
        """Name and version for people."""

    @property
    def bootstrap(self) -> str:
        """`host:port`."""


class Arena(msgspec.Struct, frozen=True):
    """What all contestants of a race share."""

    broker: Broker
    topics: Topics
    folder: Path
    core: int | None
    """The contestant's core."""


def reserve_core() -> int | None:
    """Keep this process, and so the brokers it starts, off the last core; None where there is no core to spare."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(allowed) < 2:  # noqa: PLR2004 - one for us, one for the contestant
        return None
    os.sched_setaffinity(0, set(allowed[:-1]))
    return allowed[-1]
