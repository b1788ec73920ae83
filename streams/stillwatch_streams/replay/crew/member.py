"""A member of the crew: a process that detects in its own partitions, a chunk at a time, as it is told."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from typing import Any

from stillwatch_models.shard import Batch, Outputs
from stillwatch_schemas.sketch import Sketcher

from stillwatch_streams.ingest import Ingest, Item
from stillwatch_streams.pipeline import AccountShard
from stillwatch_streams.replay.crew.messages import (
    BAD,
    GOOD,
    Assignment,
    Census,
    Chunk,
    Failure,
    Farewell,
    Finish,
    Made,
    Share,
    pack,
    unpack_order,
    unpack_part,
)
from stillwatch_streams.replay.engines import standard_engines
from stillwatch_streams.replay.reader import PIECE_RECORDS
from stillwatch_streams.replay.subprocesses import settle_in


def serve(pipe: Connection, assignment: Assignment) -> None:
    """Obey orders until the pipe is closed."""
    settle_in()
    try:
        Member(pipe, assignment).work()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except Exception as error:  # noqa: BLE001 - whatever it was, the main process must hear of it
        pipe.send_bytes(BAD + pack(Failure(f"{type(error).__name__}: {error}")))


class Member:
    """Its shards."""

    def __init__(self, pipe: Connection, assignment: Assignment) -> None:
        self._pipe = pipe
        make = standard_engines(assignment.config, assignment.partitions).account
        self._shards: dict[int, AccountShard] = {partition: make(partition) for partition in assignment.mine}
        self._ingest = Ingest(sketcher=Sketcher(assignment.sketch_key) if assignment.sketch_key else None)
        self._began = time.process_time()

    def work(self) -> None:
        """Whatever is asked for, until nobody asks any more."""
        while True:
            order = unpack_order(self._pipe.recv_bytes())
            if isinstance(order, Chunk):
                self._send(Made([self._processed(*piece) for piece in _pieces(order.parts)]))
            elif isinstance(order, Finish):
                self._send(Made([_share(partition, shard.finish()) for partition, shard in self._shards.items()]))
                self._send(Farewell(time.process_time() - self._began))
            else:
                self._send(Census(list(self._shards[order.partition].accounts())))

    def _processed(self, partition: int, batch: Batch[Item]) -> Share:
        self._ingest.sketch(batch.items)
        return _share(partition, self._shards[partition].process(batch))

    def _send(self, message: Any) -> None:
        self._pipe.send_bytes(GOOD + pack(message))


def _pieces(parts: Iterable[bytes]) -> Iterator[tuple[int, Batch[Item]]]:
    """Partitions and batches, joined where they are small: with many partitions little of each was read at once."""
    small: dict[int, Batch[Item]] = {}
    for packed in parts:
        part = unpack_part(packed)
        batch, before = part.batch(), small.pop(part.partition, None)
        if before is not None:
            batch = Batch(before.items + batch.items, before.offsets + batch.offsets, batch.next_offset)
        if len(batch.items) < PIECE_RECORDS:
            small[part.partition] = batch
        else:
            yield part.partition, batch
    yield from small.items()


def _share(partition: int, made: Outputs) -> Share:
    return Share(partition=partition, findings=made.findings, signals=made.signals, profiles=made.profiles)
