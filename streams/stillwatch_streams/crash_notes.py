"""Remembers which records the worker failed on, so that one bad record can't stop it for ever.

First failure: the fetch is noted. After the restart its records are processed one at a time; the one that fails again
is noted alone. After the next restart it goes to the DLQ and is skipped. Only exceptions of our own processing are
noted: a kill, or a broker that went away, says nothing about a record.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from stillwatch_schemas.errors import ConfigError

TWICE = 2


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One failure, by source position."""

    topic: str
    partition: int
    first: int
    last: int
    deaths: int
    error: str

    @property
    def is_poison(self) -> bool:
        """One single record has failed twice."""
        return self.first == self.last and self.deaths >= TWICE


class RecordFailure(Exception):  # noqa: N818 - says what happened; it never leaves the worker
    """Processing failed on these records; `__cause__` says how."""

    def __init__(self, topic: str, partition: int, first: int, last: int) -> None:
        super().__init__(f"processing failed on {topic}, partition {partition}, offsets {first} to {last}")
        self.topic, self.partition, self.first, self.last = topic, partition, first, last


class CrashNotes:
    """The notes of one worker, in a small file that is replaced atomically."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "crash-notes.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"Can't create service.datadir {folder}: {error.strerror}.") from error
        self._notes = self._read()

    def of(self, topic: str, partition: int) -> list[Note]:
        """Notes about one partition."""
        return [note for note in self._notes if (note.topic, note.partition) == (topic, partition)]

    def add(self, failure: RecordFailure) -> Note:
        """Write down a failure; one within an earlier note counts as another death."""
        same = [
            note.deaths
            for note in self.of(failure.topic, failure.partition)
            if note.first <= failure.first and failure.last <= note.last
        ]
        note = Note(
            topic=failure.topic,
            partition=failure.partition,
            first=failure.first,
            last=failure.last,
            deaths=max(same, default=0) + 1,
            error=repr(failure.__cause__)[:500],
        )
        others = [old for old in self._notes if (old.topic, old.partition, old.first, old.last)
                  != (note.topic, note.partition, note.first, note.last)]  # fmt: skip
        self._write([*others, note])
        return note

    def clear_below(self, topic: str, partition: int, offset: int) -> None:
        """Forget what a checkpoint has passed."""
        kept = [
            note for note in self._notes if (note.topic, note.partition) != (topic, partition) or note.last >= offset
        ]
        if len(kept) != len(self._notes):
            self._write(kept)

    def _read(self) -> list[Note]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[Note])
        except (OSError, msgspec.MsgspecError):
            return []  # none yet, or torn by a power cut: the worst that follows is one more restart

    def _write(self, notes: list[Note]) -> None:
        self._notes = notes
        new = self._path.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(notes))
        new.replace(self._path)
