"""What `stillwatch replay` does of a file: events a second, with sketches and with texts, in one process and in two.

    python bench/replay.py [--events 400000] [--rounds 3] [--quick]

Runs the command itself on files of dense traffic (see `live.traffic`), in turns; every run of a file with the same
number of partitions must write the same bytes, whatever the number of jobs. Writes bench/results/replay.json.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import zstandard
from live import results
from live.traffic import Dense, dense
from stillwatch_schemas.codec import encode_request
from stillwatch_streams.ingest import Ingest
from stillwatch_streams.replay.reader import PIECE_RECORDS
from stillwatch_streams.sources.lines import LinesSource

ACCOUNTS = 20_000
PER_SECOND = 5_000
RUNS = (
    ("sketch", 1, 1),
    ("sketch", 1, 2),
    ("sketch", 2, 1),
    ("sketch", 2, 2),
    ("text", 1, 1),
    ("text", 1, 2),
    ("text", 2, 1),
    ("text", 2, 2),
)
"""Content, partitions, jobs."""
SAME = ("alerts.jsonl", "directives.jsonl", "dlq.jsonl", "accounts.csv", "campaigns.csv")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one small round, results not kept")
    options = parser.parse_args()
    if options.quick:
        options.events, options.rounds = 20_000, 1
    before = results.load()
    with tempfile.TemporaryDirectory(prefix="stillwatch-bench-") as name:
        folder = Path(name)
        paths = {content: _write(folder, content, options.events) for content in ("sketch", "text")}
        runs = _rounds(folder, paths, options.rounds)
        reading = {content: _reading(path) for content, path in paths.items()}
    results.write(
        "replay", before, keep=not options.quick, events=options.events, accounts=ACCOUNTS, runs=runs, reading=reading
    )


def _write(folder: Path, content: str, events: int) -> Path:
    path = folder / f"{content}.jsonl.zst"
    wanted = Dense(events=events, accounts=ACCOUNTS, seconds=events / PER_SECOND, text=content == "text")
    with zstandard.open(path, "wb") as file:
        for event in dense(wanted):
            file.write(encode_request(event) + b"\n")
    return path


def _rounds(folder: Path, paths: dict[str, Path], rounds: int) -> list[dict[str, Any]]:
    found: dict[tuple[str, int, int], list[dict[str, float]]] = {run: [] for run in RUNS}
    written: dict[tuple[str, int], dict[str, bytes]] = {}
    for _, run in itertools.product(range(rounds), RUNS):
        content, partitions, jobs = run
        print(f"{content}, {partitions} partitions, {jobs} jobs ...", flush=True)
        found[run].append(_replay(paths[content], folder / "out", partitions, jobs))
        files = {name: (folder / "out" / name).read_bytes() for name in SAME}
        if written.setdefault((content, partitions), files) != files:
            sys.exit(f"{content}: {jobs} jobs wrote other bytes than one")
    return [
        {
            "content": content,
            "partitions": partitions,
            "jobs": jobs,
            "median": {key: round(median(one[key] for one in some)) for key in some[0]},
            "rounds": some,
        }
        for (content, partitions, jobs), some in found.items()
    ]


def _replay(path: Path, out: Path, partitions: int, jobs: int) -> dict[str, float]:
    options = ["--out", str(out), "--partitions", str(partitions), "--jobs", str(jobs), "--json"]
    command = [sys.executable, "-m", "stillwatch_agents", "replay", str(path), *options]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)  # noqa: S603 - our own command
    summary = json.loads(done.stdout)
    return {
        "events_per_second": summary["events_per_s"],
        "events_per_cpu_second": round(summary["events"] / summary["cpu_seconds"], 1),
        "events_per_busiest_cpu_second": round(summary["events"] / summary["busiest_cpu_seconds"], 1),
    }


def _reading(path: Path) -> dict[str, float]:
    """Processor time of what comes before the detector, microseconds an event."""
    ingest = Ingest()
    events = 0
    decode = 0.0
    began = time.process_time()
    for chunk in LinesSource(path).chunks():
        unpacked = time.process_time()
        for start in range(0, len(chunk.records), PIECE_RECORDS):
            ingest.parse(chunk.records[start : start + PIECE_RECORDS])
        decode += time.process_time() - unpacked
        events += len(chunk.records)
    unpack = time.process_time() - began - decode
    return {"unpack_and_split_us": round(unpack / events * 1e6, 2), "decode_us": round(decode / events * 1e6, 2)}


if __name__ == "__main__":
    main()
