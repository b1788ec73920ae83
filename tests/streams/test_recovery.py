"""A partition comes back: its rows in the shard, its place in the log; and the worker answers meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from stillwatch_models.shard import Checkpoint
from stillwatch_schemas.errors import StateError
from stillwatch_streams.checkpoint_image import Recovery, recover
from stillwatch_streams.checkpoints import CheckpointLog, LogRecord, Position
from stillwatch_streams.crash_notes import CrashNotes
from stillwatch_streams.metrics import Metrics
from stillwatch_streams.recovery import Claim, recover_partition
from support.counting import CountingShard


def written(rows: Mapping[bytes, bytes], offset: int) -> list[LogRecord]:
    """A log with one checkpoint."""
    log = CheckpointLog(1, generation=1, cuts={}, slots={})
    plan = log.plan(Checkpoint(rows=rows, next_offset=offset), Position(next_offset=offset, dead_until=offset + 2))
    return [*plan.rows, plan.marker]


def services(records: list[LogRecord], folder: Path) -> Any:
    """What recovery needs of a worker, over a log in memory."""

    async def read(_partition: int, *, generation: int, discard: bool) -> Recovery:
        return recover(records, generation=generation, discard=discard)

    async def sent_since(_partition: int, offset: int) -> tuple[dict[int, str], int]:
        return {}, offset

    return SimpleNamespace(
        agent="account",
        store=SimpleNamespace(topic="checkpoints", recover=read),
        letters=SimpleNamespace(sent_since=sent_since),
        notes=CrashNotes(folder),
        metrics=Metrics(),
    )


def claim(**changes: Any) -> Claim:
    fields = {"topic": "requests", "partition": 0, "generation": 3, "committed": 40, "first": 0}
    return Claim(**(fields | changes))


class Patient(CountingShard):
    """A shard whose restoring lasts until somebody else has had a turn."""

    def __init__(self) -> None:
        super().__init__(0)
        self.others_had_a_turn = threading.Event()
        self.rows: dict[bytes, bytes] = {}

    def restore(self, rows: Mapping[bytes, bytes]) -> int:
        assert self.others_had_a_turn.wait(10), "the event loop stood still while rows were restored"
        self.rows = dict(rows)
        return 0


async def test_the_event_loop_goes_on_while_rows_are_restored(tmp_path: Path) -> None:
    shard = Patient()
    asyncio.get_running_loop().call_later(0.01, shard.others_had_a_turn.set)
    start = await recover_partition(claim(), shard, services(written({b"a": b"1"}, 40), tmp_path))
    assert shard.rows == {b"a": b"1"}
    assert (start.offset, start.dead_until) == (40, 42)


async def test_a_partition_that_nobody_read_begins_at_the_start(tmp_path: Path) -> None:
    start = await recover_partition(claim(committed=None, first=7), Patient(), services([], tmp_path))
    assert (start.offset, start.dead_until) == (7, 0)


async def test_a_lost_checkpoint_is_refused_unless_state_is_reset(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="--reset-state"):
        await recover_partition(claim(), Patient(), services([], tmp_path))
    assert (await recover_partition(claim(reset=True), Patient(), services([], tmp_path))).offset == 40
