"""Where figures go: `bench/results/<name>.json`, with the machine and its load beside them."""

from __future__ import annotations

import datetime as dt
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import msgspec
import psutil

FOLDER = Path(__file__).resolve().parents[1] / "results"


def machine() -> dict[str, Any]:
    """What the figures depend on besides the code."""
    info = Path("/proc/cpuinfo").read_text()
    models = [line.partition(": ")[2] for line in info.splitlines() if line.startswith("model name")]
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
    }


def load() -> list[float]:
    """Load averages over 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]


def write(name: str, before: Sequence[float], *, keep: bool = True, **figures: Any) -> None:
    """Write one measurement and print it; without `keep` only print it."""
    document = {"machine": machine(), "load_before": list(before), "load_after": load(), **figures}
    text = msgspec.json.format(msgspec.json.encode(document), indent=2)
    if keep:
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{name}.json").write_bytes(text + b"\n")
    print(f"== {name}\n{text.decode()}", flush=True)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Count, median, 99th percentile and maximum."""
    if len(values) < 2:  # noqa: PLR2004 - what `quantiles` needs
        return {"count": len(values)}
    cuts = quantiles(values, n=100, method="inclusive")
    return {
        "count": len(values),
        "p50": round(median(values), 1),
        "p99": round(cuts[98], 1),
        "max": round(max(values), 1),
    }
