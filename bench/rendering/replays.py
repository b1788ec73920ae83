"""What `replay.py` measured, as a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rendering.tables import conditions, table

Result = Mapping[str, Any]
HEAD = ("events carry", "partitions", "jobs", "events per second, wall", "events per CPU-second")


def replays(result: Result) -> str:
    """Files of dense traffic, by content and number of processes."""
    rows = [
        (
            {"sketch": "sketches", "text": "texts"}[run["content"]],
            str(run["partitions"]),
            str(run["jobs"]),
            f"{run['median']['events_per_second']:,}",
            f"{run['median']['events_per_cpu_second']:,}",
        )
        for run in result["runs"]
    ]
    before = ", ".join(
        f"{one['unpack_and_split_us'] + one['decode_us']:.1f} µs with {content}"
        for content, one in (("sketches", result["reading"]["sketch"]), ("texts", result["reading"]["text"]))
    )
    told = (
        f"{result['events']:,} events of {result['accounts']:,} accounts. Unpacking the archive, splitting lines and"
        f" decoding take {before} an event; the rest is sketching and detection."
    )
    return f"{conditions(result)}\n\n{table(HEAD, rows)}\n\n{told}"
