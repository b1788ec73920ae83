"""Stillwatch against other stream processors on the same work, the same topic and the same core, in the same run.

    python bench/peer_race.py [PEER]... [--records 300000] [--rounds 5] [--broker embedded|kafka|both]

`peers/work.py` says what the work is; every peer must raise exactly the oracle's alerts. Each round runs every peer
once, starting with another one each time; figures are medians over rounds. Writes bench/results/peers_<broker>.json.
Needs the environment that `make bench` makes (.venv-bench); about two minutes a round and broker.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median
from typing import Any

from live import results
from peers.arena import Arena, Broker, reserve_core
from peers.contest import PEERS, Peer, contestants
from peers.race import prove, run_once
from peers.topic import Topics, Waiting
from peers.traffic import Entry
from stillwatch_streams.embedded import EmbeddedBroker
from support.kafka_jars import KafkaUnavailableError
from support.kafka_node import KafkaNode

QUICK_RECORDS, QUICK_ROUNDS = 20_000, 1
BROKERS = ("embedded", "kafka")


def main() -> None:
    """Race on the brokers that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", nargs="*", metavar="PEER", help=f"of {', '.join(p.name for p in PEERS)}; default all")
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--broker", choices=(*BROKERS, "both"), default="both")
    parser.add_argument("--quick", action="store_true", help="one round of few records, results not kept")
    options = parser.parse_args()
    try:
        peers = contestants(options.peers)
    except ValueError as error:
        parser.error(str(error))
    records = QUICK_RECORDS if options.quick else options.records
    rounds = QUICK_ROUNDS if options.quick else options.rounds
    core = reserve_core()
    waiting = Waiting.make(records)
    for kind in BROKERS if options.broker == "both" else (options.broker,):
        try:
            figures = on_broker(kind, waiting, peers, rounds, core)
        except KafkaUnavailableError as reason:
            print(f"skipped: Apache Kafka can't be had: {reason}")
        else:
            results.write(f"peers_{kind}", figures.pop("load_before"), keep=not options.quick, **figures)


def on_broker(kind: str, waiting: Waiting, peers: Sequence[Peer], rounds: int, core: int | None) -> dict[str, Any]:
    """All rounds on a broker of this kind."""
    with tempfile.TemporaryDirectory(prefix="stillwatch-race-") as name:
        folder = Path(name)
        with open_broker(kind, folder / "broker") as broker:
            before = results.load()
            arena = Arena(broker, Topics(waiting), folder, core)
            found = asyncio.run(race(arena, peers, rounds))
            return {
                "load_before": before,
                "broker": broker.version,
                "records": len(waiting.text),
                "oracle_alerts": len(waiting.alerts),
                "mean_record_bytes": {"text": mean_bytes(waiting.text), "sketch": mean_bytes(waiting.sketch)},
                "core": core,
                "peers": {peer.name: summary(peer, found[peer.name]) for peer in peers},
            }


def mean_bytes(entries: Sequence[Entry]) -> int:
    """Mean size of a record's value."""
    return round(sum(len(value) for _, value, _ in entries) / len(entries))


def open_broker(kind: str, folder: Path) -> AbstractContextManager[Broker]:
    """A broker that ends with the block."""
    return KafkaNode(folder) if kind == "kafka" else EmbeddedBroker()


async def race(arena: Arena, peers: Sequence[Peer], rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Every round, every peer; another one begins each time."""
    await arena.topics.write(arena.broker.bootstrap)
    for peer in peers:
        if peer.reorders:
            await prove(peer, arena)
    found: dict[str, list[dict[str, Any]]] = {peer.name: [] for peer in peers}
    for number in range(rounds):
        first = number % len(peers)
        for peer in (*peers[first:], *peers[:first]):
            figures = await run_once(peer, arena)
            found[peer.name].append(figures)
            print(f"{arena.broker.version}, round {number + 1}, {peer.label}: {figures}", flush=True)
    return found


def summary(peer: Peer, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians, and every round."""
    return {
        "label": peer.label,
        "median": {key: median(one[key] for one in rounds) for key in rounds[0]},
        "rounds": rounds,
    }


if __name__ == "__main__":
    main()
