"""Brings a partition back: checkpoint rows into a shard, dead letters already sent, and the offset to go on from."""

from __future__ import annotations

import asyncio
import time
from typing import TypeVar

import msgspec
from stillwatch_models.shard import Shard
from stillwatch_schemas.errors import StateError

from stillwatch_streams.agent_spec import Services, Start
from stillwatch_streams.checkpoint_image import Recovery
from stillwatch_streams.dlq import POISON
from stillwatch_streams.logs import get_logger

T = TypeVar("T")

log = get_logger(__name__)


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A partition that was assigned to us."""

    topic: str
    partition: int
    generation: int
    committed: int | None
    """The group's committed offset."""
    first: int
    """Where to begin where there is neither checkpoint nor committed offset."""
    reset: bool = False
    """Start with empty state whatever the checkpoint says (`stillwatch worker --reset-state`)."""


async def recover_partition(claim: Claim, shard: Shard[T], services: Services) -> Start:
    """Fill the shard and say where it continues. StateError when there should be a checkpoint and isn't."""
    began = time.perf_counter()
    found = await services.store.recover(claim.partition, generation=claim.generation, discard=claim.reset)
    offset = _first_offset(claim, found, services.store.topic)
    if found.marker is not None:
        await asyncio.to_thread(shard.restore, found.rows)  # a million rows take a while; /healthz must go on answering
    dlq_offset = found.marker.dlq_offset if found.marker else 0
    sent, dlq_offset = await services.letters.sent_since(claim.partition, dlq_offset)
    _report(claim, found, services, offset, time.perf_counter() - began)
    return Start(
        log=found.log,
        offset=offset,
        dead_until=found.marker.dead_until if found.marker else 0,
        dlq_offset=dlq_offset,
        sent=sent,
        poison=_poison(claim, found, services, sent),
    )


def _first_offset(claim: Claim, found: Recovery, checkpoints: str) -> int:
    if found.marker is not None:
        return found.marker.next_offset
    if claim.committed is None:
        return claim.first
    if claim.reset:
        return claim.committed
    raise StateError(
        f"{claim.topic}, partition {claim.partition} was read up to offset {claim.committed}, but {checkpoints} holds"
        " no checkpoint of it: the topic was deleted or emptied. Going on would forget every account seen so far."
        " Restore the topic, or accept the loss: stillwatch worker --reset-state."
    )


def _poison(claim: Claim, found: Recovery, services: Services, sent: dict[int, str]) -> frozenset[int]:
    """Records to skip: known to the checkpoint, found in the DLQ, or noted after the second crash."""
    noted = {note.first for note in services.notes.of(claim.topic, claim.partition) if note.is_poison}
    buried = {offset for offset, code in sent.items() if code == POISON}
    return frozenset(noted | buried | set(found.marker.poison if found.marker else ()))


def _report(claim: Claim, found: Recovery, services: Services, offset: int, seconds: float) -> None:
    labels = (services.agent, str(claim.partition))
    services.metrics.recovered_rows.labels(*labels).set(len(found.rows))
    services.metrics.recovery_seconds.labels(*labels).set(seconds)
    log.info(
        "recovered",
        agent=services.agent,
        topic=claim.topic,
        partition=claim.partition,
        rows=len(found.rows),
        offset=offset,
        term=found.log.term,
        seconds=round(seconds, 3),
    )
