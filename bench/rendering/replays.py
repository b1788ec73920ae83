"""What `replay.py` measured, as a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rendering.tables import conditions, table

Result = Mapping[str, Any]
RUN = ("events carry", "partitions", "jobs")
RATES = {
    "events_per_second": "events per second, wall",
    "events_per_cpu_second": "events per CPU-second",
    "events_per_busiest_cpu_second": "events per CPU-second of the busiest process",
}


def replays(result: Result) -> str:
    """Files of dense traffic, by content and number of processes."""
    rates = {name: said for name, said in RATES.items() if all(name in run["median"] for run in result["runs"])}
    rows = [
        (
            {"sketch": "sketches", "text": "texts"}[run["content"]],
            str(run["partitions"]),
            str(run["jobs"]),
            *(f"{run['median'][name]:,}" for name in rates),
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
    return f"{conditions(result)}\n\n{table((*RUN, *rates.values()), rows)}\n\n{told}"
