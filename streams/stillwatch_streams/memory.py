"""Gives freed memory back to the system: what a pane's end needed for a moment would stay with the process for ever."""

from __future__ import annotations

import asyncio
import ctypes

EVERY_SECONDS = 60.0


def give_back() -> None:
    """Return the pages that nothing uses (glibc; elsewhere nothing happens). Some 10 ms after a busy minute."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


async def give_back_regularly() -> None:
    """Do so every minute; never returns."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        give_back()
