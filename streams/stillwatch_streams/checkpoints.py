"""The checkpoint log of one partition: pure rules for writing it and for reading it back. I/O is in `checkpoint_store`.

A checkpoint is many rows and one marker, and becomes true only when its marker is in the log. The topic is compacted,
so only the last record of each key may count. These rules make that safe at any cut, any compaction, and with an old
owner ("zombie") still writing:

1. An epoch is (term, seq). Every recovery takes a new, higher term; every checkpoint of the term the next seq.
2. A row is written to a slot (`slot byte + row key`) that does not hold its committed version: two slots a term, and
   another pair for the next term. So an unfinished checkpoint, or one of a zombie, never overwrites what counts.
3. The marker (one key a term) carries `cuts`: for each term that rows still lie in, the seq up to which they are
   committed. The marker with the highest epoch is the truth; a row's committed version is the highest epoch within
   its term's cut.
4. What a checkpoint made superfluous is tombstoned only by a later checkpoint, and only once an offset commit under
   the consumer group's generation has succeeded in between. A zombie's commit is refused, so a zombie gets at most one
   checkpoint too far and deletes nothing that its successor builds on.

The reader's side is in `checkpoint_image`. It looks at the last value of each key only, so a compacted and an
uncompacted log give the same answer.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec
from stillwatch_models.shard import Checkpoint

FORMAT = 1
MARKER_PREFIX = b"\xff\x01"
CLAIM_KEY = b"\xff\x00claim"
"""Written before reading, only to learn where the log ends; carries no state."""
EPOCH = struct.Struct(">II")
TERM = struct.Struct(">I")
_LINEAGES = 120
ROW, DELETED = b"=", b"-"
HEAD_BYTES = EPOCH.size + 1
"""Bytes of a value before the row."""


class Epoch(NamedTuple):
    """When a row version was written: ordered, unique to a writer."""

    term: int
    seq: int


class LogRecord(NamedTuple):
    """One record of the checkpoint topic; value None is a tombstone."""

    key: bytes
    value: bytes | None


class Marker(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a checkpoint: everything of it is in the log before this record."""

    format: int = FORMAT
    term: int
    seq: int
    cuts: dict[int, int]
    next_offset: int
    """Where reading of the source resumes."""
    generation: int = -1
    """Generation of the consumer group that wrote it, for people who read the log."""
    dead_until: int = 0
    """Every dead letter among the source records below this offset is in the DLQ."""
    dlq_offset: int = 0
    """Where in the DLQ partition later dead letters are found; recovery reads them."""
    poison: tuple[int, ...] = ()
    """Source offsets at or above `next_offset` that must be skipped, for they kill the worker."""

    @property
    def epoch(self) -> Epoch:
        """The checkpoint's epoch."""
        return Epoch(self.term, self.seq)


class Plan(msgspec.Struct, frozen=True):
    """What one checkpoint writes: all `rows` acknowledged first, then the marker."""

    rows: list[LogRecord]
    marker: LogRecord
    seq: int
    slots: dict[bytes, int | None]
    """New committed slot of every row it touches; None where it deletes the row."""


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """What a marker carries besides the rows."""

    next_offset: int
    dead_until: int = 0
    dlq_offset: int = 0
    poison: tuple[int, ...] = ()


class CheckpointLog:
    """The writer's side: knows where each row's committed version lies. One owner, one term."""

    def __init__(self, term: int, *, generation: int, cuts: Mapping[int, int], slots: Mapping[bytes, int]) -> None:
        self.term = term
        self._generation = generation
        self._seq = 0
        self._cuts = dict(cuts)
        self._slots = dict(slots)
        self._garbage: list[bytes] = []
        self._later_garbage: list[bytes] = []
        self._pair = (term % _LINEAGES) * 2

    def leave_for_later(self, keys: Iterable[bytes]) -> None:
        """Keys that recovery found superfluous; they go after our first committed checkpoint."""
        self._later_garbage.extend(keys)

    def plan(self, checkpoint: Checkpoint, position: Position) -> Plan:
        """Lay out one checkpoint. Nothing here changes until `committed` says that it has become true."""
        seq = self._seq + 1
        epoch = EPOCH.pack(self.term, seq)
        rows = [LogRecord(key, None) for key in self._garbage]
        slots: dict[bytes, int | None] = {}
        for key, row in checkpoint.rows.items():
            slot = self._free_slot(key)
            kind = DELETED if row is None else ROW
            rows.append(LogRecord(bytes((slot,)) + key, epoch + kind + (row or b"")))
            slots[key] = slot if row is not None else None
        return Plan(rows, self._marker(seq, position), seq, slots)

    def committed(self, plan: Plan) -> None:
        """The plan's marker is acknowledged and the group coordinator still takes us for the owner."""
        written = {bytes((slot,)) + key for key, slot in plan.slots.items() if slot is not None}
        self._garbage, self._later_garbage = [key for key in self._later_garbage if key not in written], []
        for key, slot in plan.slots.items():
            before = self._slots.get(key)
            if slot is None:
                self._garbage += self._forget(key, before)
                continue
            if before is not None and before & ~1 != self._pair:
                self._garbage.append(bytes((before,)) + key)
            self._slots[key] = slot
        self._seq = plan.seq
        self._cuts[self.term] = plan.seq

    def _free_slot(self, key: bytes) -> int:
        """A slot of our pair that doesn't hold the committed version."""
        return self._pair + 1 if self._slots.get(key) == self._pair else self._pair

    def _forget(self, key: bytes, before: int | None) -> list[bytes]:
        """Keys to tombstone for a deleted row: living versions first, the deletion itself last."""
        deletion = self._free_slot(key)
        self._slots.pop(key, None)
        stale = {self._pair, self._pair + 1} | ({before} if before is not None else set())
        return [bytes((slot,)) + key for slot in sorted(stale - {deletion})] + [bytes((deletion,)) + key]

    def _marker(self, seq: int, position: Position) -> LogRecord:
        marker = Marker(
            term=self.term,
            seq=seq,
            cuts=self._cuts | {self.term: seq},
            generation=self._generation,
            next_offset=position.next_offset,
            dead_until=position.dead_until,
            dlq_offset=position.dlq_offset,
            poison=position.poison,
        )
        return LogRecord(MARKER_PREFIX + TERM.pack(self.term), msgspec.msgpack.encode(marker))
