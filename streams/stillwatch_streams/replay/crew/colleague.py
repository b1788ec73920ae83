"""The main process's side of one member: its process, the pipe to it, and what has been sent but not answered."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from threading import Thread

from stillwatch_models.accounts import AccountRow
from stillwatch_models.shard import Batch, Outputs
from stillwatch_schemas.errors import StillwatchError

from stillwatch_streams.ingest import Item
from stillwatch_streams.replay.crew.member import serve
from stillwatch_streams.replay.crew.messages import (
    GOOD,
    Assignment,
    Chunk,
    Count,
    Order,
    Part,
    pack,
    unpack_census,
    unpack_failure,
    unpack_farewell,
    unpack_made,
)

GRACE_SECONDS = 5.0
"""How long a member may take to notice that it is no longer needed."""


class Colleague:
    """One other process. Orders never wait for it: a thread carries them, so that neither side blocks the other."""

    def __init__(self, assignment: Assignment) -> None:
        self.partitions = assignment.mine
        context = multiprocessing.get_context("spawn")
        self._pipe: Connection
        self._pipe, self._theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=serve, args=(self._theirs, assignment), daemon=True)
        self._outgoing: SimpleQueue[bytes | None] = SimpleQueue()
        self._carrier = Thread(target=self._carry, name="replay orders", daemon=True)
        self._parts: list[bytes] = []

    def start(self) -> None:
        """Start it; orders wait until it is ready."""
        self._process.start()
        self._theirs.close()
        self._carrier.start()

    def add(self, partition: int, batch: Batch[Item]) -> None:
        """Put a batch of one of its partitions to the next chunk. It is packed at once, so nothing of it is held."""
        self._parts.append(pack(Part.of(partition, batch)))

    def hand_over(self) -> int:
        """Order to process what was added; its size in bytes, 0 where there is nothing to do and no answer due."""
        parts, self._parts = self._parts, []
        if parts:
            self.order(Chunk(parts))
        return sum(map(len, parts))

    def order(self, order: Order) -> None:
        """Ask for something."""
        self._outgoing.put(pack(order))

    def has_answered(self) -> bool:
        """Whether an answer can be had without waiting."""
        return self._pipe.poll()

    def made(self) -> list[tuple[int, Outputs]]:
        """What came of the oldest order without an answer, by partition."""
        return [(share.partition, share.outputs()) for share in unpack_made(self._answer()).shares]

    def accounts(self, partition: int) -> list[AccountRow]:
        """The accounts of one of its partitions."""
        self.order(Count(partition))
        return unpack_census(self._answer()).rows

    def cpu_seconds(self) -> float:
        """Processor time it took, once what it made at its end has been read."""
        return unpack_farewell(self._answer()).cpu_seconds

    def end(self, *, at_once: bool) -> None:
        """It ends by itself when nobody talks to it any more."""
        self._outgoing.put(None)
        if self._process.pid is not None:
            if at_once:
                self._process.terminate()
            self._carrier.join(GRACE_SECONDS)
        self._pipe.close()
        if self._process.pid is None:
            return
        self._process.join(GRACE_SECONDS)
        if self._process.is_alive():
            self._process.kill()
        self._process.join()

    def _carry(self) -> None:
        while (message := self._outgoing.get()) is not None:
            try:
                self._pipe.send_bytes(message)
            except OSError:
                return  # it has gone, which whoever waits for its answer finds out

    def _answer(self) -> bytes:
        """The next thing it has to say; StillwatchError where it failed or is gone."""
        try:
            said = self._pipe.recv_bytes()
        except (EOFError, OSError):  # the latter where it died in the middle of what it had to say
            self._process.join(GRACE_SECONDS)
            raise self._lost(f"it ended with exit code {self._process.exitcode}") from None
        if said[:1] != GOOD:
            raise self._lost(unpack_failure(said[1:]).message)
        return said[1:]

    def _lost(self, why: str) -> StillwatchError:
        names = ", ".join(map(str, self.partitions))
        return StillwatchError(
            f"replay: the process of partition {names} failed: {why}. --jobs 1 shows whether it is the input."
        )
