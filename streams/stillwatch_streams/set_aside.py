"""What is set aside of one partition: records that can't be used, and records that ended the worker before.

Dead letters go to the DLQ once, whatever is read again after a restart. A record that ended the worker twice is poison:
it is not decoded any more, and its dead letter says what it did.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from stillwatch_streams.agent_spec import Services, Start
from stillwatch_streams.checkpoints import Position
from stillwatch_streams.dlq import poison_letter
from stillwatch_streams.ingest import DeadLetter, Record

R = TypeVar("R", bound=Record)


class SetAside:
    """The dead letters and the poison of one partition."""

    def __init__(self, topic: str, partition: int, start: Start, services: Services) -> None:
        self._topic = topic
        self._partition = partition
        self._services = services
        self._resume = start.offset
        self._dead_until = start.dead_until
        self._dlq_offset = start.dlq_offset
        self._sent = set(start.sent)
        self._poison = set(start.poison)

    def under_suspicion(self, records: Sequence[Record]) -> bool:
        """Whether an earlier worker failed on some of these records."""
        first, last = records[0].offset, records[-1].offset
        notes = self._services.notes.of(self._topic, self._partition)
        return any(note.first <= last and first <= note.last for note in notes)

    def split(self, records: Sequence[R]) -> tuple[Sequence[R], list[DeadLetter]]:
        """Records that may be decoded, and the dead letters of those that are poison."""
        if not self._poison:
            return records, []
        errors = {note.first: note.error for note in self._services.notes.of(self._topic, self._partition)}
        poison = [record for record in records if record.offset in self._poison]
        good = [record for record in records if record.offset not in self._poison]
        return good, [poison_letter(record, errors.get(record.offset, "unknown")) for record in poison]

    async def bury(self, dead: Sequence[DeadLetter]) -> None:
        """Send what isn't in the DLQ yet."""
        new = [
            letter
            for letter in dead
            if letter.record.offset >= self._dead_until and letter.record.offset not in self._sent
        ]
        if not new:
            return
        self._dlq_offset = max(self._dlq_offset, await self._services.letters.send(self._partition, new))
        for letter in new:
            self._services.metrics.dead_letters.labels(self._services.agent, letter.code).inc()

    def position(self, resume: int, processed: int) -> Position:
        """What a checkpoint says of this: reading resumes at one offset, and everything before the other was seen."""
        return Position(
            next_offset=max(resume, self._resume),
            dead_until=max(self._dead_until, processed),
            dlq_offset=self._dlq_offset,
            poison=tuple(sorted(offset for offset in self._poison if offset >= resume)),
        )

    def passed(self, position: Position) -> None:
        """The checkpoint is durable: forget what lies behind it."""
        self._resume = position.next_offset
        self._dead_until = position.dead_until
        self._sent = {offset for offset in self._sent if offset >= position.dead_until}
        self._poison = set(position.poison)
        self._services.notes.clear_below(self._topic, self._partition, position.next_offset)
