"""A member of the crew: a process that reads all and detects in its own partitions, a step at a time, as it is told."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

from stillwatch_models.shard import Outputs
from stillwatch_schemas.errors import SourceError

from stillwatch_streams.ingest import ingest_for
from stillwatch_streams.pipeline import AccountShard
from stillwatch_streams.replay.crew.messages import (
    BAD,
    GOOD,
    Assignment,
    Census,
    Failure,
    Farewell,
    Reply,
    pack,
    unpack_order,
)
from stillwatch_streams.replay.engines import standard_engines
from stillwatch_streams.replay.reader import Reader, Step
from stillwatch_streams.replay.sketching import Here
from stillwatch_streams.replay.subprocesses import settle_in


def serve(pipe: Connection, assignment: Assignment) -> None:
    """Obey orders until the pipe is closed."""
    settle_in()
    try:
        Member(pipe, assignment).work()
    except (EOFError, BrokenPipeError):
        return
    except Exception as error:  # noqa: BLE001 - whatever it was, the main process must hear of it
        pipe.send_bytes(BAD + pack(Failure(f"{type(error).__name__}: {error}")))


class Member:
    """Its shards, and the step that it has ready."""

    def __init__(self, pipe: Connection, assignment: Assignment) -> None:
        self._pipe = pipe
        make = standard_engines(assignment.config, assignment.partitions).account
        self._shards: dict[int, AccountShard] = {partition: make(partition) for partition in assignment.mine}
        self._steps = _steps(assignment)
        self._ready: Step | SourceError | None = None
        self._began = time.process_time()

    def work(self) -> None:
        """Read a step ahead, and wait for leave to process its chunk: the run may end at any chunk."""
        self._ready = self._next()
        while True:
            order = unpack_order(self._pipe.recv_bytes())
            if order.what == "chunk":
                self._chunk()
            elif order.what == "finish":
                for partition, shard in self._shards.items():
                    self._put_out(partition, 0, shard.finish())
                self._send(Farewell(time.process_time() - self._began))
            else:
                self._send(Census(list(self._shards[order.partition].accounts())))

    def _next(self) -> Step | SourceError | None:
        try:
            return next(self._steps, None)
        except SourceError as error:
            return error

    def _chunk(self) -> None:
        """Process the steps of a chunk, then tell what came of them, partition by partition."""
        made: dict[int, list[Outputs]] = defaultdict(list)
        next_offsets: dict[int, int] = {}
        while True:
            step = self._ready
            if not isinstance(step, Step):
                end = step or "no more records"
                raise SourceError(f"this process came to an end of the input where another did not ({end})")
            for partition, batch in step.batches:
                if partition in self._shards:
                    made[partition].append(self._shards[partition].process(batch))
                    next_offsets[partition] = batch.next_offset
            step.forget()
            if step.ends_chunk:
                break
            self._ready = self._next()
        for partition, some in sorted(made.items()):
            self._put_out(partition, next_offsets[partition], *some)
        self._ready = self._next()

    def _put_out(self, partition: int, next_offset: int, *made: Outputs) -> None:
        self._send(
            Reply(
                partition=partition,
                next_offset=next_offset,
                findings=[finding for outputs in made for finding in outputs.findings],
                signals=[signal for outputs in made for signal in outputs.signals],
                profiles=[profile for outputs in made for profile in outputs.profiles],
            )
        )

    def _send(self, message: Any) -> None:
        self._pipe.send_bytes(GOOD + pack(message))


def _steps(assignment: Assignment) -> Iterator[Step]:
    ingest = ingest_for(assignment.settings, has_broker_time=False)
    reader = Reader(assignment.sources, ingest, between=assignment.between, verdicts=assignment.verdicts)
    return Here(ingest, assignment.mine)(reader.steps(assignment.partitions))
