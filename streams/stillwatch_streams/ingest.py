"""Raw records in, validated events out: the one way in, for the live worker and for replay alike.

    record → (heartbeat? verdict?) → adapter → RequestEvent → is its time believable? → sketch → text dropped

What does not fit becomes a `DeadLetter` with a stable code; it never stops the batch and is never dropped silently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, Protocol

import msgspec
from msgspec.structs import force_setattr
from stillwatch_models.shard import Batch
from stillwatch_schemas.codec import decode_verdict
from stillwatch_schemas.errors import ConfigError, ContractError
from stillwatch_schemas.events import HEARTBEAT_HEADER, Heartbeat, RequestEvent, Sketch
from stillwatch_schemas.limits import MAX_TS_MS, MIN_TS_MS
from stillwatch_schemas.sketch import Sketcher
from stillwatch_schemas.verdicts import VERDICT_HEADER, Verdict

from stillwatch_streams.adapters import litellm, native
from stillwatch_streams.settings import SourceSettings

PUBLIC_SKETCH_KEY = b"stillwatch-public-sketch-key"
"""Used where no key is configured: results are the same everywhere, but anybody can test a sketch against guesses."""

Format = Literal["native", "litellm"]
Item = RequestEvent | Heartbeat | Verdict
Adapter = Callable[[bytes | None], RequestEvent]

MAX_TS_DIGITS = len(str(MAX_TS_MS))

ADAPTERS: dict[str, Adapter] = {"native": native.decode, "litellm": litellm.decode}
"""One adapter a source format: value bytes to event, ContractError naming the field as the source calls it."""


class Record(Protocol):
    """What ingest needs of a record; `aiokafka.ConsumerRecord` and `sources.FileRecord` both fit."""

    @property
    def offset(self) -> int:
        """Position in the partition, strictly increasing."""
        ...

    @property
    def timestamp(self) -> int:
        """The broker's time for the record, ms since the epoch; -1 where it keeps none."""
        ...

    @property
    def key(self) -> bytes | None:
        """The record key as received."""
        ...

    @property
    def value(self) -> bytes | None:
        """The record value as received."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Header names and values, in order."""
        ...


class TextSketcher(Protocol):
    """What ingest needs of `stillwatch_schemas.sketch.Sketcher`."""

    def sketch_many(self, texts: Sequence[tuple[str | None, str | None]]) -> Sequence[Sketch | None]:
        """The sketch of each (prompt, system prompt); None where there is no text."""
        ...


class DeadLetter(msgspec.Struct, frozen=True):
    """A record that could not become an event, and why."""

    code: str
    """Stable word for metrics and headers, e.g. `malformed_json`, `missing_field`, `forged_time`."""
    message: str
    field: str | None
    """Path of the offending field in the source's own names, where there is one."""
    record: Record


class Ingest:
    """Turns the records of one partition into a batch of events.

    `allowed_skew_ms` is how far an event's `ts` may lie from the broker's record timestamp, in either direction; None
    trusts `ts` (a file has no broker). Without a sketcher, events keep their text and get no sketch. Verdicts are dead
    letters unless they are accepted.
    """

    def __init__(
        self,
        source_format: Format = "native",
        allowed_skew_ms: int | None = None,
        sketcher: TextSketcher | None = None,
        *,
        accept_verdicts: bool = True,
    ) -> None:
        if source_format not in ADAPTERS:
            raise ConfigError(f"source format {source_format!r} is unknown; known formats: {', '.join(ADAPTERS)}")
        self._adapt = ADAPTERS[source_format]
        self._skew = allowed_skew_ms
        self._sketcher = sketcher
        self._accept_verdicts = accept_verdicts

    def decode(self, records: Sequence[Record]) -> tuple[Batch[Item], list[DeadLetter]]:
        """Events and heartbeats of at least one record of ONE partition, in offset order, and what did not fit."""
        batch, dead = self.parse(records)
        self.sketch(batch.items)
        return batch, dead

    def parse(self, records: Sequence[Record]) -> tuple[Batch[Item], list[DeadLetter]]:
        """`decode` without sketching: events still have their texts, for `sketch` to take."""
        items: list[Item] = []
        offsets: list[int] = []
        dead: list[DeadLetter] = []
        for record in records:
            try:
                items.append(self._item(record))
            except ContractError as error:
                dead.append(DeadLetter(error.code, str(error), error.field, record))
            else:
                offsets.append(record.offset)
        return Batch(items, offsets, records[-1].offset + 1), dead

    def sketch(self, items: Iterable[Item]) -> None:
        """Sketch the texts unless the emitter did, then forget them: no state downstream ever holds a prompt."""
        if self._sketcher is None:
            return
        texts = Texts(items)
        texts.settle(self._sketcher.sketch_many(texts.bare))

    @property
    def sketches(self) -> bool:
        """Whether texts are sketched at all."""
        return self._sketcher is not None

    def _item(self, record: Record) -> Item:
        control = self._control(record) if record.headers else None
        if control is not None:
            return control
        event = self._adapt(record.value)
        if self._skew is not None:
            self._check_time(event.ts, record.timestamp)
        return event

    def _control(self, record: Record) -> Heartbeat | Verdict | None:
        """What a record says that carries no request; None for one that does.

        A verdict's time needs no check: it does not move the clock.
        """
        for name, value in record.headers:
            if name == HEARTBEAT_HEADER:
                beat = Heartbeat(_heartbeat_time(value))
                self._check_time(beat.ts, record.timestamp)
                return beat
            if name == VERDICT_HEADER:
                return self._verdict(record)
        return None

    def _verdict(self, record: Record) -> Verdict:
        if not self._accept_verdicts:
            message = "this record carries a verdict, which source.accept_verdicts = false refuses"
            raise ContractError("refused_verdict", message, field=VERDICT_HEADER)
        return decode_verdict(record.value)

    def _check_time(self, ts: int, broker_ts: int) -> None:
        """Event time moves everybody's panes, so nobody may push it further than the allowed skew."""
        if self._skew is None or abs(ts - broker_ts) <= self._skew:
            return
        where = (
            f"{ts - broker_ts:+d} ms from the broker's {broker_ts}" if broker_ts >= 0 else "but the broker kept no time"
        )
        raise ContractError("forged_time", f"ts is {ts}, {where}; allowed is {self._skew} ms either way", field="ts")


class Texts:
    """The texts among some items: which have to be sketched, and how the sketches reach their events.

    Events are changed in place although they are frozen: the adapter made them a moment ago and nobody else holds them,
    and a copy of an event's 45 fields would cost as much as decoding it.
    """

    def __init__(self, items: Iterable[Item]) -> None:
        self._events = [
            item
            for item in items
            if isinstance(item, RequestEvent) and (item.prompt is not None or item.system_prompt is not None)
        ]
        self._bare = [event for event in self._events if event.sketch is None]
        self.bare = [(event.prompt, event.system_prompt) for event in self._bare]
        """Prompt and system prompt of the events that no emitter has sketched."""

    def settle(self, sketches: Sequence[Sketch | None]) -> None:
        """Give the events the sketches of `bare`, and forget the texts."""
        for event, sketch in zip(self._bare, sketches, strict=True):
            force_setattr(event, "sketch", sketch)
        for event in self._events:
            if event.prompt_chars is None and event.prompt is not None:
                force_setattr(event, "prompt_chars", len(event.prompt))
            force_setattr(event, "prompt", None)
            force_setattr(event, "system_prompt", None)


def ingest_for(source: SourceSettings, *, has_broker_time: bool) -> Ingest:
    """The ingest that the settings describe; a file has no broker time to check `ts` against."""
    skew_ms = round(source.allowed_skew_seconds * 1_000) if has_broker_time else None
    return Ingest(source.format, skew_ms, Sketcher(sketch_key(source)), accept_verdicts=source.accept_verdicts)


def sketch_key(source: SourceSettings) -> bytes:
    """The key that texts are sketched under."""
    return source.sketch_key.encode() or PUBLIC_SKETCH_KEY


def _heartbeat_time(value: bytes | None) -> int:
    digits = (value or b"")[: MAX_TS_DIGITS + 1]
    if digits.isdigit() and MIN_TS_MS <= int(digits) <= MAX_TS_MS:
        return int(digits)
    raise ContractError(
        "invalid_value",
        f"header {HEARTBEAT_HEADER} is {digits!r}, not ASCII milliseconds between the years 2000 and 2100",
        field=HEARTBEAT_HEADER,
    )
