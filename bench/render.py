"""Puts the results into docs/performance.md, between its markers, and draws the chart beside it.

    python bench/render.py [--check]

`--check` changes nothing and exits 1 where the page is not what the results say.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from live.results import FOLDER
from rendering import chart, replays, service, tables

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "performance.md"
SECTIONS: dict[str, tuple[tuple[str, ...], Callable[..., str]]] = {
    "peers-kafka": (("peers_kafka",), tables.race),
    "peers-embedded": (("peers_embedded",), tables.race),
    "growth": (("growth",), tables.growth),
    "flame": (("flame_whole_sketch",), tables.flame),
    "instructions": (("instructions",), tables.instructions),
    "stream": (("stream",), service.stream),
    "dense": (("dense_sketch", "dense_text"), service.dense),
    "scale": (("scale",), service.scale),
    "latency": (("latency_500", "latency_2000", "latency_5000"), service.latency),
    "memory": (("memory",), service.memory),
    "recovery": (("recovery",), service.recovery),
    "replay": (("replay",), replays.replays),
}
"""Marker → results and how they are told."""
CHARTS = {"peers.svg": "peers_kafka"}


def main() -> int:
    """Write, or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--quick", action="store_true", help="do nothing: quick results are not kept")
    options = parser.parse_args()
    if options.quick:
        return 0
    stale = [path for path, text in documents().items() if not path.exists() or path.read_text() != text]
    if options.check:
        for path in stale:
            print(f"{path.relative_to(DOCS.parent)} is not what bench/results says: run python bench/render.py")
        return int(bool(stale))
    for path, text in documents().items():
        path.write_text(text)
    return 0


def documents() -> dict[Path, str]:
    """Every generated file as it should be."""
    page = PAGE.read_text()
    for marker, (names, tell) in SECTIONS.items():
        results = [result for name in names if (result := load(name)) is not None]
        if len(results) == len(names):
            page = between(page, marker, tell(*results))
    drawn = {DOCS / name: chart.bars(result) for name, source in CHARTS.items() if (result := load(source))}
    return {PAGE: page, **drawn}


def load(name: str) -> dict[str, Any] | None:
    """A result, if it was ever measured."""
    path = FOLDER / f"{name}.json"
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Any]) if path.exists() else None


def between(page: str, marker: str, text: str) -> str:
    """The page with this text between its markers; ValueError where it has none."""
    begin, end = f"<!-- begin: {marker} -->", f"<!-- end: {marker} -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"{PAGE} has no place marked {begin} ... {end}")
    return pattern.sub(lambda _: f"{begin}\n{text}\n{end}", page)


if __name__ == "__main__":
    sys.exit(main())
