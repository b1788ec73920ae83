"""Resident memory of this process, without what it has freed already."""

from __future__ import annotations

import gc

import psutil
from stillwatch_streams.memory import give_back


def resident() -> int:
    """Bytes that are in use: garbage is collected, and freed memory is given back, as a worker does every minute."""
    gc.collect()
    give_back()
    return int(psutil.Process().memory_info().rss)
