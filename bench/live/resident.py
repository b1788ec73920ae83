"""Resident memory of this process, without what it has freed already."""

from __future__ import annotations

import ctypes
import gc

import psutil


def resident() -> int:
    """Bytes that are in use: garbage is collected, and what the C library keeps of freed memory is given back."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    if trim is not None:
        trim(0)
    return int(psutil.Process().memory_info().rss)
