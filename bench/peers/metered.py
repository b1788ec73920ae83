"""An agent of a Stillwatch worker with a meter on it, and a topic given from outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from stillwatch_models.shard import Batch, Outputs
from stillwatch_streams.agent_spec import AgentSpec
from stillwatch_streams.ingest import DeadLetter, Record

from peers.job import Meter


class MeteredShard:
    """The shard itself in everything but `process` and `steps`, which also count."""

    def __init__(self, shard: Any, meter: Meter) -> None:
        self._shard = shard
        self._meter = meter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shard, name)

    def process(self, batch: Batch[Any]) -> Outputs:
        """Process, then count."""
        outputs: Outputs = self._shard.process(batch)
        self._meter.count(len(batch.items))
        return outputs

    def steps(self, batch: Batch[Any]) -> Iterator[Outputs]:
        """Process in parts, then count."""
        yield from self._shard.steps(batch)
        self._meter.count(len(batch.items))


def metered(spec: AgentSpec, meter: Meter) -> AgentSpec:
    """The agent with the clock started before its first decoding and stopped after its last record."""

    def decode(records: Sequence[Record]) -> tuple[Batch[Any], list[DeadLetter]]:
        meter.begin()
        return spec.decode(records)

    def make_shard(partition: int) -> Any:
        return MeteredShard(spec.make_shard(partition), meter)

    return msgspec.structs.replace(spec, decode=decode, make_shard=make_shard)
