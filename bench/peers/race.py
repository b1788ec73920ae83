"""One contestant's run, from its start to the check of what it wrote."""

from __future__ import annotations

import asyncio
import subprocess
from typing import Any

import msgspec
import psutil
from live.installation import Installation, metrics_of, total
from support.kafka_io import create_topics, unique

from peers.arena import Arena
from peers.checks import check_alerts, check_overlap
from peers.contest import Peer
from peers.job import Job, Timed
from peers.running import read_result, running

POLL_SECONDS = 0.25
CALM_POLLS = 3
PROOF_RECORDS = 5_000


async def run_once(peer: Peer, arena: Arena) -> dict[str, Any]:
    """Time the contestant and check its alerts; what was measured."""
    installation, job = await prepared(peer, arena)
    with running(job) as process:
        timed = await asyncio.to_thread(read_result, process, job)
        figures = speed(timed)
        if peer.whole:
            figures |= await until_quiet(installation, process, timed)
        if peer.reorders:
            figures["alerts_overlap"] = await check_overlap(job, arena.topics)
        elif peer.checked:
            await check_alerts(job, arena.topics)
    return figures


async def prepared(peer: Peer, arena: Arena, *, held: bool = False) -> tuple[Installation, Job]:
    """What the peer needs on the broker, and its job; `held` as in `Job`."""
    installation = Installation(arena.broker, arena.folder, logging__level="WARNING")
    if peer.program.startswith("stillwatch"):
        await installation.create()
    job = await job_of(peer, arena)
    file = f"{job.folder}/held" if held else ""
    return installation, msgspec.structs.replace(job, core=arena.core, env=installation.env, held=file)


async def prove(peer: Peer, arena: Arena) -> None:
    """Let a peer that works in an order of its own keep the topic's, on few records: the oracle's alerts must come."""
    job = await job_of(peer, arena)
    job = msgspec.structs.replace(job, ordered=True, records=min(PROOF_RECORDS, arena.topics.records))
    with running(job) as process:
        await asyncio.to_thread(read_result, process, job)
        await check_alerts(job, arena.topics)


async def job_of(peer: Peer, arena: Arena) -> Job:
    """A job with a name, a folder and an alerts topic of its own."""
    name = unique(peer.name)
    topics, bootstrap = arena.topics, arena.broker.bootstrap
    await create_topics(bootstrap, [f"{name}.alerts"])
    return Job(
        peer=peer.program,
        bootstrap=bootstrap,
        topic=topics.sketch if peer.sketched else topics.text,
        alerts=f"{name}.alerts",
        records=max(1, int(topics.records * peer.share)),
        name=name,
        folder=str(arena.folder / name),
    )


def speed(timed: Timed) -> dict[str, Any]:
    """Events a second by both clocks."""
    wall, cpu = timed.end.wall - timed.begin.wall, timed.end.cpu - timed.begin.cpu
    return {
        "records": timed.records,
        "wall_seconds": round(wall, 3),
        "cpu_seconds": round(cpu, 3),
        "events_per_second": round(timed.records / wall),
        "events_per_cpu_second": round(timed.records / cpu),
        "rss_mib": timed.rss_mib,
    }


async def until_quiet(installation: Installation, process: subprocess.Popen[bytes], timed: Timed) -> dict[str, Any]:
    """Processor time until no agent lags any more, and what the worker counted."""
    calm, found = 0, dict[str, float]()
    while calm < CALM_POLLS:
        await asyncio.sleep(POLL_SECONDS)
        found = await metrics_of(installation)
        calm = calm + 1 if found and total(found, "lag_records") == 0 else 0
    used = psutil.Process(process.pid).cpu_times()
    cpu = used.user + used.system - timed.begin.cpu
    if total(found, "dead_letters_total"):
        raise RuntimeError("the worker buried records of the race in its dead letter queue")
    return {
        "events_per_cpu_second_to_the_last_agent": round(timed.records / cpu),
        "published": int(total(found, "published_total")),
        "checkpoint_bytes": int(total(found, "checkpoint_bytes_total")),
    }
