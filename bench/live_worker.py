"""The whole service on Apache Kafka, measured: throughput, memory, latency, recovery, and whether live equals replay.

    python bench/live_worker.py [memory | dense | scale | recovery | latency | stream]... [--stream events.jsonl.zst]

Starts a Kafka node (as the tests do: Java 17 and the jars that `make kafka` fetches) and real `stillwatch worker`
processes with default settings, writes bench/results/*.json, and stops everything. About ten minutes for all of it.
docs/performance.md holds a run's figures and says what each means.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from live import latency, memory, results, scale, throughput
from live.traffic import Dense
from support.kafka_jars import KafkaUnavailableError
from support.kafka_node import KafkaNode

PARTS = ("memory", "dense", "scale", "recovery", "latency", "stream")
RATES = (500, 2_000, 5_000)
SECONDS = 40.0


async def dense(node: KafkaNode, _folder: Path) -> None:
    """Dense traffic, once with sketches and once with text."""
    for text in (False, True):
        before = results.load()
        wanted = Dense(events=300_000, accounts=20_000, seconds=60.0, text=text)
        figures = await throughput.dense_traffic(node, wanted)
        results.write(f"dense_{'text' if text else 'sketch'}", before, broker=node.version, **figures)


async def workers(node: KafkaNode, _folder: Path) -> None:
    """Two workers against one."""
    before = results.load()
    wanted = Dense(events=400_000, accounts=20_000, seconds=120.0, text=True)
    results.write("scale", before, broker=node.version, **await scale.one_and_two(node, wanted))


async def recovery(node: KafkaNode, folder: Path) -> None:
    """A hundred thousand accounts from the checkpoint topic."""
    before = results.load()
    figures = await throughput.recovery(node, folder, Dense(events=400_000, accounts=100_000, seconds=60.0, text=False))
    results.write("recovery", before, broker=node.version, **figures)


async def paced(node: KafkaNode, folder: Path) -> None:
    """Latency at two loads."""
    for rate in RATES:
        before = results.load()
        figures = await latency.paced(node, folder, rate, SECONDS)
        results.write(f"latency_{rate}", before, broker=node.version, settings=latency.SETTINGS, **figures)


async def stream(node: KafkaNode, folder: Path, path: Path) -> None:
    """A whole file, live and replayed."""
    before = results.load()
    figures = await throughput.whole_stream(node, folder, path)
    results.write("stream", before, broker=node.version, **figures)


def on_kafka(work: Callable[[KafkaNode, Path], Coroutine[Any, Any, None]]) -> None:
    """Do one part on a node of its own."""
    with tempfile.TemporaryDirectory(prefix="stillwatch-bench-") as name:
        folder = Path(name)
        with KafkaNode(folder / "kafka") as node:
            asyncio.run(work(node, folder))


def main() -> None:
    """Measure the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--stream", type=Path, help="a .jsonl.zst file of native events, for the part `stream`")
    options = parser.parse_args()
    parts = options.parts or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if "memory" in parts:
        before = results.load()
        results.write("memory", before, **memory.per_account((10_000, 100_000)))
    try:
        for name, work in (("dense", dense), ("scale", workers), ("recovery", recovery), ("latency", paced)):
            if name in parts:
                on_kafka(work)
        if "stream" in parts and options.stream:
            on_kafka(lambda node, folder: stream(node, folder, options.stream))
        elif "stream" in parts:
            print("stream: skipped, name a file with --stream")
    except KafkaUnavailableError as reason:
        print(f"skipped: Apache Kafka can't be had: {reason}")


if __name__ == "__main__":
    main()
