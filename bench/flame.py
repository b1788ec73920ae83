"""Where the time goes: a contestant of the race under load, sampled by py-spy.

    python bench/flame.py [PEER] [--records 200000] [--broker embedded|kafka]

Runs it twice and writes docs/flame_<peer>.svg, a flame graph to click through, and bench/results/flame_<peer>.json: the
share of samples by the innermost function of ours. Needs `make bench-env`, and leave to trace a process.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flames.stacks import shares
from live import results
from peer_race import BROKERS, open_broker
from peers.arena import Arena, reserve_core
from peers.contest import Peer, contestants
from peers.job import Job
from peers.race import prepared
from peers.running import read_result, running
from peers.topic import Topics, Waiting

DOCS = Path(__file__).resolve().parents[1] / "docs"
SAMPLES_PER_SECOND = 200
ATTACH_SECONDS = 3.0
POLL_SECONDS = 0.05


def main() -> None:
    """Sample two runs, one for each form."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", nargs="?", default="whole_sketch")
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--broker", choices=BROKERS, default="embedded")
    parser.add_argument("--quick", action="store_true", help="do nothing: a short profile says nothing")
    options = parser.parse_args()
    if options.quick:
        return
    (peer,) = contestants([options.peer])
    before, core = results.load(), reserve_core()
    waiting = Waiting.make(options.records)
    with tempfile.TemporaryDirectory(prefix="stillwatch-flame-") as name:
        folder = Path(name)
        stacks = folder / "stacks"
        with open_broker(options.broker, folder / "broker") as broker:
            arena = Arena(broker, Topics(waiting), folder, core)
            asyncio.run(sample(peer, arena, {"raw": stacks, "flamegraph": DOCS / f"flame_{peer.name}.svg"}))
        found = shares(stacks.read_text().splitlines())
    results.write(f"flame_{peer.name}", before, broker=options.broker, records=options.records, shares=found)


async def sample(peer: Peer, arena: Arena, outputs: dict[str, Path]) -> None:
    """One run for each of py-spy's forms."""
    await arena.topics.write(arena.broker.bootstrap)
    for form, output in outputs.items():
        _, job = await prepared(peer, arena, held=True)
        with running(job) as process, sampled(process, job, form, output):
            await asyncio.to_thread(read_result, process, job)


def entitle(graph: Path, title: str) -> None:
    """Say what it shows; py-spy writes its own command line there, with this machine's paths."""
    graph.write_text(re.sub(r'(<text id="title"[^>]*>)[^<]*', lambda found: found[1] + title, graph.read_text()))


@contextmanager
def sampled(process: subprocess.Popen[bytes], job: Job, form: str, output: Path) -> Iterator[None]:
    """Sample the process from its first record to the end of the block."""
    while not Path(job.held).exists() and process.poll() is None:
        time.sleep(POLL_SECONDS)
    command = ["--pid", str(process.pid), "--format", form, "--output", str(output), "--rate", str(SAMPLES_PER_SECOND)]
    command.append("--gil")  # a thread that waits for the interpreter looks busy otherwise
    program = str(Path(sys.executable).with_name("py-spy"))
    spy = subprocess.Popen([program, "record", *command, "--duration", "unlimited"])  # noqa: S603 - our own
    time.sleep(ATTACH_SECONDS)
    Path(job.held).unlink()
    try:
        yield
    finally:
        spy.send_signal(signal.SIGINT)
        spy.wait()


if __name__ == "__main__":
    main()
