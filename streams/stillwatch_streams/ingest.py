"""Raw records in, validated events out: the one way in, for the live worker and for replay alike.

    record → (heartbeat? verdict?) → adapter → request → is its time believable? → sketch → text dropped

What does not fit becomes a `DeadLetter` with a stable code; it never stops the batch and is never dropped silently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, Protocol, TypeVar

import msgspec
from msgspec.structs import force_setattr
from stillwatch_models.columns import Request
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

T = TypeVar("T")
Format = Literal["native", "litellm"]
Item = Request | Heartbeat | Verdict
Adapter = Callable[[Sequence[bytes | None]], tuple[Sequence[Request], dict[int, ContractError]]]

CONTROL_HEADERS = frozenset({HEARTBEAT_HEADER, VERDICT_HEADER})
"""A record with one of these headers carries no request; the first of them counts."""
MAX_TS_DIGITS = len(str(MAX_TS_MS))

ADAPTERS: dict[str, Adapter] = {"native": native.decode_all, "litellm": litellm.decode_all}
"""One adapter a source format: values to events, and by position the ContractErrors, which name the field as the source
calls it."""


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


class Parsed:
    """What has been made of some records so far."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.offsets: list[int] = []
        self.dead: list[DeadLetter] = []

    def keep(self, items: Sequence[Item], records: Sequence[Record]) -> None:
        """Items, and the records that they were."""
        self.items += items
        self.offsets += [record.offset for record in records]

    def bury(self, records: Sequence[Record], errors: Mapping[int, ContractError]) -> Sequence[Record]:
        """Set records aside, by position; returns the others."""
        for at, error in errors.items():
            self.dead.append(DeadLetter(error.code, str(error), error.field, records[at]))
        return _others(records, errors)


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
        self._adapt(())  # whatever is compiled is made ready now, not when the first records wait
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
        parsed = Parsed()
        start = 0
        for at in [at for at, record in enumerate(records) if record.headers and _is_control(record)]:
            self._requests(records[start:at], parsed)
            self._control(records[at], parsed)
            start = at + 1
        self._requests(records[start:] if start else records, parsed)
        dead = sorted(parsed.dead, key=lambda letter: letter.record.offset)
        return Batch(parsed.items, parsed.offsets, records[-1].offset + 1), dead

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

    def _requests(self, records: Sequence[Record], parsed: Parsed) -> None:
        """Records that carry requests, all at once."""
        events, errors = self._adapt([record.value for record in records])
        records = parsed.bury(records, errors)
        forged = self._forged(events, records)
        parsed.keep(_others(events, forged), parsed.bury(records, forged))

    def _control(self, record: Record, parsed: Parsed) -> None:
        """A record that carries no request but a heartbeat or a verdict."""
        try:
            parsed.keep([self._said(record)], [record])
        except ContractError as error:
            parsed.bury([record], {0: error})

    def _said(self, record: Record) -> Heartbeat | Verdict:
        """What a control record says; a verdict's time needs no check, because it does not move the clock."""
        name, value = next(header for header in record.headers if header[0] in CONTROL_HEADERS)
        if name == VERDICT_HEADER:
            return self._verdict(record)
        beat = Heartbeat(_heartbeat_time(value))
        if self._skew is not None and abs(beat.ts - record.timestamp) > self._skew:
            raise _forged_time(beat.ts, record.timestamp, self._skew)
        return beat

    def _verdict(self, record: Record) -> Verdict:
        if not self._accept_verdicts:
            message = "this record carries a verdict, which source.accept_verdicts = false refuses"
            raise ContractError("refused_verdict", message, field=VERDICT_HEADER)
        return decode_verdict(record.value)

    def _forged(self, events: Sequence[Request], records: Sequence[Record]) -> dict[int, ContractError]:
        """By position, why an event's time is not believed."""
        if self._skew is None:
            return {}
        apart = [event.ts - record.timestamp for event, record in zip(events, records, strict=True)]
        far = [at for at, by in enumerate(apart) if abs(by) > self._skew]
        return {at: _forged_time(events[at].ts, records[at].timestamp, self._skew) for at in far}


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


def _is_control(record: Record) -> bool:
    return any(name in CONTROL_HEADERS for name, _ in record.headers)


def _others(these: Sequence[T], without: Mapping[int, ContractError]) -> Sequence[T]:
    """Without those at some positions, if any."""
    return [one for at, one in enumerate(these) if at not in without] if without else these


def _forged_time(ts: int, broker_ts: int, skew: int) -> ContractError:
    """Event time moves everybody's panes, so nobody may push it further than the allowed skew."""
    where = f"{ts - broker_ts:+d} ms from the broker's {broker_ts}" if broker_ts >= 0 else "but the broker kept no time"
    return ContractError("forged_time", f"ts is {ts}, {where}; allowed is {skew} ms either way", field="ts")


def _heartbeat_time(value: bytes | None) -> int:
    digits = (value or b"")[: MAX_TS_DIGITS + 1]
    if digits.isdigit() and MIN_TS_MS <= int(digits) <= MAX_TS_MS:
        return int(digits)
    raise ContractError(
        "invalid_value",
        f"header {HEARTBEAT_HEADER} is {digits!r}, not ASCII milliseconds between the years 2000 and 2100",
        field=HEARTBEAT_HEADER,
    )
