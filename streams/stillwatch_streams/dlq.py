"""Dead letters: what can't be used goes to `<topic>.dlq` with its bytes unchanged, the reason, and where it came from.

Exactly once: the checkpoint remembers up to where the dead letters of its records are in the DLQ; what came after it is
read back from the DLQ itself at recovery, so a record that is read again is not sent again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from aiokafka.errors import MessageSizeTooLargeError

from stillwatch_streams.ingest import DeadLetter, Record
from stillwatch_streams.publisher import Message, Publisher
from stillwatch_streams.topic_reader import partition_reader, read_to_end

POISON = "poison"
"""Code of a record that ended the worker twice; it is skipped for good."""
PREFIX = "__dlq.errors."
STEERING = (PREFIX, "Faust-")
"""Headers that a sender must not choose: ours, and those by which Faust workers are steered."""
NULL_HEADER = PREFIX + "null"
"""The record had neither key nor value."""
KEPT_BYTES = 500_000
"""What is kept of a value that the DLQ's broker limit refuses."""


class Origin(msgspec.Struct, frozen=True):
    """Where a dead letter came from, and why, as its headers tell."""

    topic: str
    partition: int
    offset: int
    code: str
    message: str
    timestamp_ms: int
    """Of the record itself; -1 where it has none."""


def letter_message(letter: DeadLetter, *, dlq: str, source: str, partition: int, group: str, to: int) -> Message:
    """The DLQ record of a dead letter (headers of KIP-1191, and our code)."""
    record = letter.record
    facts = {
        "topic": source,
        "partition": str(partition),
        "offset": str(record.offset),
        "group": group,
        "delivery.count": "1",
        "message": letter.message,
        "code": letter.code,
        "field": letter.field or "",
        "timestamp": str(record.timestamp),
    }
    headers = [(PREFIX + name, text.encode("utf-8", "replace")) for name, text in facts.items()]
    kept = [(name, bytes(value or b"")) for name, value in record.headers if not name.startswith(STEERING)]
    if record.key is None and record.value is None:  # a record with neither can't be written
        return Message(topic=dlq, partition=to, value=b"", headers=((NULL_HEADER, b"1"), *headers, *kept))
    return Message(topic=dlq, partition=to, key=record.key, value=record.value, headers=(*headers, *kept))


def origin_of(headers: Iterable[tuple[str, bytes]]) -> Origin | None:
    """Read the headers back; None for a record that isn't a dead letter of ours."""
    facts = {
        name.removeprefix(PREFIX): value.decode("utf-8", "replace")
        for name, value in headers
        if name.startswith(PREFIX)
    }
    try:
        return Origin(
            facts["topic"],
            int(facts["partition"]),
            int(facts["offset"]),
            facts.get("code", ""),
            facts.get("message", ""),
            int(facts.get("timestamp", "-1")),
        )
    except (KeyError, ValueError):
        return None


class DeadLetterBox:
    """The DLQ as one source partition sees it."""

    def __init__(self, publisher: Publisher, options: dict[str, Any], *, source: str, dlq: str, group: str) -> None:
        self._publisher = publisher
        self._options = options
        self._source = source
        self._dlq = dlq
        self._group = group

    async def place(self, partition: int) -> int:
        """The DLQ partition that takes the dead letters of a source partition."""
        return partition % await self._publisher.partitions(self._dlq)

    async def sent_since(self, partition: int, dlq_offset: int) -> tuple[dict[int, str], int]:
        """Source offset → code of this partition's dead letters at or after `dlq_offset`, and the DLQ's end."""
        to = await self.place(partition)
        sent: dict[int, str] = {}
        async with partition_reader(self._options, self._dlq, to, dlq_offset) as reader:
            async for records in read_to_end(reader, self._dlq, to):
                dlq_offset = records[-1].offset + 1
                for origin in filter(None, (origin_of(record.headers) for record in records)):
                    if origin.topic == self._source and origin.partition == partition:
                        sent[origin.offset] = origin.code
        return sent, dlq_offset

    async def send(self, partition: int, letters: Sequence[DeadLetter]) -> int:
        """Send dead letters and wait for the broker; the DLQ offset after the last of them."""
        to = await self.place(partition)
        messages = [
            letter_message(letter, dlq=self._dlq, source=self._source, partition=partition, group=self._group, to=to)
            for letter in letters
        ]
        try:
            offsets = await self._publisher.send(messages)
        except MessageSizeTooLargeError:
            offsets = await self._send_singly(messages)
        return max(offsets) + 1

    async def _send_singly(self, messages: Iterable[Message]) -> list[int]:
        """Shorten only what the broker refuses; its header says how long it was."""
        offsets = []
        for message in messages:
            try:
                offsets += await self._publisher.send([message])
            except MessageSizeTooLargeError:
                offsets += await self._publisher.send([_shortened(message)])
        return offsets


def poison_letter(record: Record, error: str) -> DeadLetter:
    """The dead letter of a record that ended the worker twice."""
    return DeadLetter(POISON, f"processing this record ended the worker twice: {error}", None, record)


def redrive_message(record: Record, origin: Origin) -> Message:
    """The dead letter as it first came: to its own topic, with its own key, bytes, headers and time."""
    headers = tuple((name, bytes(value)) for name, value in record.headers if not name.startswith(PREFIX))
    empty = any(name == NULL_HEADER for name, _ in record.headers)
    value = b"" if empty else record.value  # neither key nor value can't be written again
    time = origin.timestamp_ms if origin.timestamp_ms >= 0 else None
    return Message(topic=origin.topic, key=record.key, value=value, headers=headers, timestamp_ms=time)


def _shortened(message: Message) -> Message:
    value = message.value or b""
    header = (f"{PREFIX}truncated.from", str(len(value)).encode())
    return msgspec.structs.replace(message, value=value[:KEPT_BYTES], headers=(*message.headers, header))
