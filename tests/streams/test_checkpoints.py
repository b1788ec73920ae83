"""The checkpoint log survives cuts at any record, compaction at any time, and an old owner that goes on writing."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stillwatch_models.shard import Checkpoint
from stillwatch_schemas.errors import StateError
from stillwatch_streams.checkpoint_image import Recovery, recover
from stillwatch_streams.checkpoints import CLAIM_KEY, Epoch, LogRecord, Plan, Position

Rows = dict[bytes, bytes | None]


class World:
    """A partition of the checkpoint topic, its owners, and what each completed checkpoint must give back."""

    def __init__(self) -> None:
        self.log: list[LogRecord] = []
        self.truth: dict[Epoch, tuple[dict[bytes, bytes], int]] = {}
        self.generation = 0

    def recovered(self) -> Recovery:
        self.generation += 1
        return recover(self.log, generation=self.generation)

    def compact(self, *, drop_tombstones: bool) -> None:
        last = {record.key: record for record in self.log}
        kept = [record for record in self.log if last[record.key] is record]
        self.log = [record for record in kept if record.value is not None or not drop_tombstones]


class Owner:
    """A worker: recovers, then writes checkpoints record by record."""

    def __init__(self, world: World) -> None:
        self.world = world
        recovery = world.recovered()
        self.log = recovery.log
        self.rows = dict(recovery.rows)
        self.offset = recovery.marker.next_offset if recovery.marker else 0
        if recovery.marker is not None:
            assert (recovery.rows, self.offset) == world.truth[recovery.marker.epoch]

    def plan(self, changes: Rows) -> tuple[Plan, list[LogRecord]]:
        self.offset += 1
        for key, row in changes.items():
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row
        plan = self.log.plan(Checkpoint(rows=changes, next_offset=self.offset), Position(next_offset=self.offset))
        self.world.truth[Epoch(self.log.term, plan.seq)] = (dict(self.rows), self.offset)
        return plan, [*plan.rows, plan.marker]

    def checkpoint(self, changes: Rows) -> None:
        plan, records = self.plan(changes)
        self.world.log += records
        self.log.committed(plan)


rows = st.dictionaries(
    st.sampled_from([b"a", b"b", b"c", b""]), st.one_of(st.none(), st.binary(max_size=3)), max_size=4
)
life = st.tuples(
    st.lists(rows, max_size=4),  # whole checkpoints
    rows,  # the one that is cut short
    st.integers(0, 12),  # records of it that reach the log
    st.sampled_from(["keep", "compact", "compact and drop tombstones"]),
)


def apply_compaction(world: World, how: str) -> None:
    if how != "keep":
        world.compact(drop_tombstones=how.endswith("tombstones"))


@settings(max_examples=300, deadline=None)
@given(st.lists(life, min_size=1, max_size=6))
def test_a_cut_anywhere_gives_the_last_whole_checkpoint(lives: list[tuple[list[Rows], Rows, int, str]]) -> None:
    world = World()
    for whole, torn, reached, compaction in lives:
        owner = Owner(world)  # asserts that what it recovers is the state of a whole checkpoint
        for changes in whole:
            owner.checkpoint(changes)
        before = (dict(owner.rows), owner.offset)
        _, records = owner.plan(torn)
        world.log += records[:reached]
        apply_compaction(world, compaction)
        expected = (owner.rows, owner.offset) if reached >= len(records) else before
        found = world.recovered()
        if found.marker is not None:
            assert (found.rows, found.marker.next_offset) == expected
        else:
            assert expected[1] == 0


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(rows, rows, st.lists(rows, max_size=4), st.data()), min_size=1, max_size=5),
    st.data(),
)
def test_an_old_owner_that_writes_on_changes_nothing(
    takeovers: list[tuple[Rows, Rows, list[Rows], st.DataObject]], data: st.DataObject
) -> None:
    world = World()
    owner = Owner(world)
    for first, zombie_rows, successor_rows, _ in takeovers:
        owner.checkpoint(first)
        zombie = owner
        _, late = zombie.plan(zombie_rows)  # its offset commit will be refused, so this is its last
        early = data.draw(st.integers(0, len(late)), label="records before the successor reads")
        world.log += late[:early]
        late = late[early:]
        owner = Owner(world)
        for changes in successor_rows:
            plan, records = owner.plan(changes)
            for record in records:
                if late and data.draw(st.booleans(), label="the zombie writes first"):
                    world.log.append(late.pop(0))
                world.log.append(record)
            owner.log.committed(plan)
        world.log += late
        apply_compaction(world, data.draw(st.sampled_from(["keep", "compact", "compact and drop tombstones"])))
        found = world.recovered()
        assert found.marker is not None
        assert (found.rows, found.marker.next_offset) == world.truth[found.marker.epoch]
        if successor_rows:
            assert (found.rows, found.marker.next_offset) == (owner.rows, owner.offset)


def test_an_empty_log_has_no_checkpoint() -> None:
    found = recover([LogRecord(CLAIM_KEY, b"x")], generation=3)
    assert found.marker is None
    assert found.rows == {}


def test_superfluous_rows_are_cleared_away() -> None:
    world = World()
    for _ in range(5):
        owner = Owner(world)
        for n in range(4):
            owner.checkpoint({b"a": b"%d" % n, b"b": None if n % 2 else b"x"})
    owner = Owner(world)
    for _ in range(3):
        owner.checkpoint({})
    world.compact(drop_tombstones=True)
    assert len(world.log) <= 3, [record.key for record in world.log]  # row a (at most two slots) and the marker


def test_reset_forgets_the_rows_and_stays_ahead_of_them() -> None:
    world = World()
    owner = Owner(world)
    owner.checkpoint({b"a": b"1"})
    found = recover(world.log, generation=0, discard=True)
    assert (found.rows, found.marker) == ({}, None)
    plan = found.log.plan(Checkpoint(rows={}, next_offset=9), Position(next_offset=9))
    again = recover([*world.log, *plan.rows, plan.marker], generation=0)
    assert again.rows == {}
    assert again.marker is not None
    assert again.marker.next_offset == 9


def test_position_travels_with_the_marker() -> None:
    found = Owner(World())
    position = Position(next_offset=7, dead_until=12, dlq_offset=3, poison=(9,))
    plan = found.log.plan(Checkpoint(rows={}, next_offset=7), position)
    marker = recover([plan.marker], generation=1).marker
    assert marker is not None
    assert (marker.next_offset, marker.dead_until, marker.dlq_offset, marker.poison) == (7, 12, 3, (9,))


@pytest.mark.parametrize(
    ("record", "word"),
    [
        (LogRecord(b"\xff\x01\x00\x00\x00\x01", b"not msgpack"), "marker"),
        (LogRecord(b"\xff\x01\x00\x00\x00\x01", msgspec.msgpack.encode({"format": 99, "term": 1, "seq": 1, "cuts": {}, "next_offset": 0})), "format 99"),  # noqa: E501 - one case, one line
        (LogRecord(b"row", b"x"), "not one of ours"),
    ],
)  # fmt: skip
def test_a_damaged_log_is_refused_with_a_way_out(record: LogRecord, word: str) -> None:
    with pytest.raises(StateError, match=word) as caught:
        recover([record], generation=1, where="ck/0")
    assert "--reset-state" in str(caught.value)
