"""How fast the worker reads what is there already, whether it says what replay says, and how fast it comes back."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import zstandard
from stillwatch_schemas.alerts import decode_finding
from support.kafka_io import read_all
from support.kafka_node import KafkaNode

from live.installation import Entry, Installation, Reading, Worker, total
from live.traffic import Dense, dense, encoded

ROUNDS = 3


class _Head(msgspec.Struct):
    ts: int
    account_id: str


def speed(records: int, start: Reading, end: Reading) -> dict[str, Any]:
    """Records a second between two readings, by the clock and by processor time."""
    wall, cpu = end.at - start.at, end.cpu_seconds - start.cpu_seconds
    return {
        "wall_seconds": round(wall, 2),
        "cpu_seconds": round(cpu, 2),
        "events_per_second": round(records / wall),
        "events_per_cpu_second": round(records / cpu),
        "peak_rss_mib": round(end.peak_rss_mib),
    }


async def whole_stream(node: KafkaNode, folder: Path, stream: Path) -> dict[str, Any]:
    """A file of events through a topic and the worker, against `stillwatch replay` of the file."""
    installation = await Installation(node, folder).create()
    records = await installation.fill(entries(stream))
    async with Worker(installation) as worker:
        start = worker.reading()
        end = await worker.until_read(records)
        metrics = await worker.until_quiet()
        quiet = worker.reading()
    received = await read_all(node.bootstrap, installation.names.alerts)
    values = [record.value or b"" for record in received]
    summary, replayed = replay(stream, folder / "replay")
    lived = {decode_finding(value).alert_uid for value in values}
    wanted = {decode_finding(value).alert_uid for value in replayed}
    return {
        "stream": stream.name,
        "records": records,
        "start_seconds": round(start.at - worker.began, 2),
        "start_cpu_seconds": round(start.cpu_seconds, 2),
        **speed(records, start, end),
        "until_every_agent_is_done_seconds": round(quiet.at - start.at, 2),
        "until_every_agent_is_done_cpu_seconds": round(quiet.cpu_seconds - start.cpu_seconds, 2),
        "accounts": int(total(metrics, "shard", agent="account", name="accounts")),
        "dead_letters": int(total(metrics, "dead_letters_total")),
        "checkpoint_bytes": int(total(metrics, "checkpoint_bytes_total", agent="account")),
        "alerts": {
            "by_kind": dict(sorted(Counter(decode_finding(value).kind for value in values).items())),
            "records": len(values),
            "ids_live": len(lived),
            "ids_replay": len(wanted),
            "ids_only_live": len(lived - wanted),
            "ids_only_replay": len(wanted - lived),
            "ids_equal": lived == wanted,
            "bytes_equal": set(values) == set(replayed),
        },
        "replay": {key: summary[key] for key in ("events", "seconds", "events_per_s", "cpu_seconds", "alerts_by_kind")},
    }


def entries(stream: Path) -> Iterator[Entry]:
    """The lines of a `.jsonl.zst` file as records whose timestamp is the event's time."""
    decoder = msgspec.json.Decoder(_Head)
    reader = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    with stream.open("rb") as packed, reader.stream_reader(packed) as raw:
        rest = b""
        while block := raw.read(1 << 20):
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                head = decoder.decode(line)
                yield head.account_id.encode(), line, head.ts
    if rest:
        head = decoder.decode(rest)
        yield head.account_id.encode(), rest, head.ts


def replay(stream: Path, out: Path) -> tuple[dict[str, Any], list[bytes]]:
    """Summary and alerts of `stillwatch replay` with default settings."""
    command = [sys.executable, "-m", "stillwatch_agents", "replay", str(stream), "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own program
    return json.loads((out / "summary.json").read_bytes()), (out / "alerts.jsonl").read_bytes().splitlines()


async def dense_traffic(node: KafkaNode, wanted: Dense) -> dict[str, Any]:
    """Synthetic dense traffic, waiting in the topic; every round has topics and a worker of its own."""
    waiting = encoded(dense(wanted))
    rounds = [await _round(node, waiting) for _ in range(ROUNDS)]
    return {
        **msgspec.to_builtins(wanted),
        "mean_record_bytes": round(sum(len(value) for _, value, _ in waiting) / len(waiting)),
        "median": {key: median(one[key] for one in rounds) for key in rounds[0]},
        "rounds": rounds,
    }


async def _round(node: KafkaNode, waiting: list[Entry]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        installation = await Installation(node, Path(name)).create()
        records = await installation.fill(waiting)
        async with Worker(installation) as worker:
            start = worker.reading()
            return speed(records, start, await worker.until_read(records))


async def recovery(node: KafkaNode, folder: Path, wanted: Dense) -> dict[str, Any]:
    """Fill a worker with accounts, stop it, and start it again: seconds until it has them back."""
    installation = await Installation(node, folder).create()
    records = await installation.fill(encoded(dense(wanted)))
    async with Worker(installation) as worker:
        await worker.until_read(records)
        metrics = await worker.until_quiet()
    accounts = int(total(metrics, "shard", agent="account", name="accounts"))
    written = int(total(metrics, "checkpoint_bytes_total", agent="account"))
    rounds = [await _restart(installation, accounts) for _ in range(ROUNDS)]
    return {
        "accounts": accounts,
        "checkpoint_bytes_written": written,
        "median": {key: median(one[key] for one in rounds) for key in rounds[0]},
        "rounds": rounds,
    }


async def _restart(installation: Installation, accounts: int) -> dict[str, float]:
    async with Worker(installation) as worker:
        metrics = await worker.until(
            "recovered", lambda found: total(found, "shard", agent="account", name="accounts") == accounts
        )
        ready = time.monotonic() - worker.began
        used = worker.reading()
    return {
        "rows": total(metrics, "recovered_rows", agent="account"),
        "recovery_seconds": round(total(metrics, "recovery_seconds", agent="account"), 2),
        "from_start_of_process_seconds": round(ready, 2),
        "cpu_seconds": round(used.cpu_seconds, 2),
        "peak_rss_mib": round(used.peak_rss_mib),
    }
