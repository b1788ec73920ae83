"""The main process's side: starts the members, stands in for their shards, and ends them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Self

import msgspec
from stillwatch_models.accounts import AccountRow
from stillwatch_models.config import EngineConfig
from stillwatch_models.shard import Batch, Checkpoint, Outputs
from stillwatch_schemas.errors import StillwatchError

from stillwatch_streams.ingest import Item
from stillwatch_streams.pipeline import AccountShard, Engines
from stillwatch_streams.replay.crew.member import serve
from stillwatch_streams.replay.crew.messages import (
    CHUNK,
    FINISH,
    GOOD,
    Assignment,
    Order,
    pack,
    unpack_census,
    unpack_failure,
    unpack_farewell,
    unpack_reply,
)
from stillwatch_streams.replay.reader import Step
from stillwatch_streams.replay.reading import Input
from stillwatch_streams.replay.subprocesses import deaf_from_birth

GRACE_SECONDS = 5.0
"""How long a member may take to notice that it is no longer needed."""


class Crew:
    """Other processes with partitions of their own; `with` starts and ends them."""

    def __init__(self, given: Input, config: EngineConfig) -> None:
        size = min(given.jobs, given.partitions)
        shares = [tuple(range(number, given.partitions, size)) for number in range(size)]
        self.mine = frozenset(shares[0])
        """Partitions that stay in this process."""
        self._members = [Colleague(_assignment(given, config, share)) for share in shares[1:]]
        self._within_chunk = False
        self._theirs: dict[int, Batch[Item]] = {}

    def __enter__(self) -> Self:
        with deaf_from_birth():
            for member in self._members:
                member.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for member in self._members:
            member.end(at_once=error is not None)

    def engines(self, made: Engines) -> Engines:
        """These engines, but for the account shards that live elsewhere."""
        home = {partition: member for member in self._members for partition in member.partitions}

        def account(partition: int) -> AccountShard:
            return RemoteShard(partition, home[partition]) if partition in home else made.account(partition)

        return msgspec.structs.replace(made, account=account)

    def step(self, step: Step) -> list[tuple[int, Batch[Item]]]:
        """The batches to fold now. At the first step of a chunk the members get leave to process the whole of it.

        What they make of it is due at its end; then the last batch of each of their partitions stands for all.
        """
        if not self._within_chunk:
            for member in self._members:
                member.order(CHUNK)
        self._within_chunk = not step.ends_chunk
        self._theirs.update((partition, batch) for partition, batch in step.batches if partition not in self.mine)
        mine = [(partition, batch) for partition, batch in step.batches if partition in self.mine]
        if not step.ends_chunk:
            return mine
        due, self._theirs = sorted(self._theirs.items()), {}
        return mine + due

    def finish(self) -> None:
        """Let them close what is open."""
        for member in self._members:
            member.order(FINISH)

    def cpu_seconds(self) -> float:
        """Processor time of the members, once their shards' ends have been read."""
        return sum(unpack_farewell(member.answer()).cpu_seconds for member in self._members)


class Colleague:
    """One other process."""

    def __init__(self, assignment: Assignment) -> None:
        self.partitions = assignment.mine
        context = multiprocessing.get_context("spawn")
        self._pipe: Connection
        self._pipe, self._theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=serve, args=(self._theirs, assignment), daemon=True)

    def start(self) -> None:
        """Start it; it reads ahead and waits for the first order."""
        self._process.start()
        self._theirs.close()

    def order(self, order: Order) -> None:
        """Ask for something."""
        try:
            self._pipe.send_bytes(pack(order))
        except BrokenPipeError:
            self.answer()  # says why it has gone

    def answer(self) -> bytes:
        """The next thing it has to say; StillwatchError where it failed or is gone."""
        try:
            said = self._pipe.recv_bytes()
        except (EOFError, ConnectionResetError):
            self._process.join(GRACE_SECONDS)
            raise self._lost(f"it ended with exit code {self._process.exitcode}") from None
        if said[:1] != GOOD:
            raise self._lost(unpack_failure(said[1:]).message)
        return said[1:]

    def _lost(self, why: str) -> StillwatchError:
        names = ", ".join(map(str, self.partitions))
        return StillwatchError(
            f"replay: the process of partition {names} failed: {why}. Input files must not change meanwhile;"
            " --jobs 1 shows whether it is the input."
        )

    def end(self, *, at_once: bool) -> None:
        """It ends by itself when nobody talks to it any more."""
        self._pipe.close()
        if self._process.pid is None:
            return
        if not at_once:
            self._process.join(GRACE_SECONDS)
        if self._process.is_alive():
            self._process.terminate()
        self._process.join()


class RemoteShard:
    """Stands in for an account shard that lives in another process, which has been told to process the same chunk."""

    def __init__(self, partition: int, member: Colleague) -> None:
        self._partition = partition
        self._member = member

    def process(self, batch: Batch[Item]) -> Outputs:
        """What the shard put out for the chunk whose last batch this is."""
        return self._outputs(batch.next_offset)

    def finish(self) -> Outputs:
        """What it put out at its end."""
        return self._outputs(0)

    def accounts(self) -> Iterable[AccountRow]:
        """Its accounts."""
        self._member.order(Order("accounts", self._partition))
        return unpack_census(self._member.answer()).rows

    def _outputs(self, next_offset: int) -> Outputs:
        reply = unpack_reply(self._member.answer())
        if (reply.partition, reply.next_offset) != (self._partition, next_offset):
            raise StillwatchError(
                f"replay: two processes read differently: partition {self._partition} up to {next_offset} here,"
                f" partition {reply.partition} up to {reply.next_offset} there. Input files must not change meanwhile."
            )
        return reply.outputs()

    def expire(self, now_ms: int) -> Outputs:  # noqa: ARG002 - part of the shard protocol
        """Accounts do not run out by the clock."""
        return Outputs()

    def checkpoint(self) -> Checkpoint | None:
        """Replay writes no checkpoints."""
        raise NotImplementedError

    def snapshot(self) -> dict[bytes, bytes]:
        """Nor this."""
        raise NotImplementedError

    def restore(self, rows: Mapping[bytes, bytes]) -> int:
        """Nor that."""
        raise NotImplementedError


def _assignment(given: Input, config: EngineConfig, share: Sequence[int]) -> Assignment:
    return Assignment(
        sources=list(given.sources),
        between=given.between,
        verdicts=list(given.verdicts),
        settings=given.settings,
        config=config,
        partitions=given.partitions,
        mine=tuple(share),
    )
