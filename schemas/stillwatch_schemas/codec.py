"""Bytes to typed values and back. Any bytes whatever either decode or raise `ContractError`, never anything else.

msgspec checks types and limits in C (see `limits.py`), so decoding is one call; `refusals.py` has the error codes.
What a client may have broken in a request event is mended by `fitting.py` before it is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec

from stillwatch_schemas.acks import Ack
from stillwatch_schemas.directives import Directive
from stillwatch_schemas.errors import ContractError
from stillwatch_schemas.events import RequestEvent
from stillwatch_schemas.fitting import convert_request, shorten_text
from stillwatch_schemas.limits import MAX_VALUE_BYTES
from stillwatch_schemas.refusals import (
    WHOLE_EMBEDDING,
    WHOLE_MINHASH,
    contract_error,
    refuse_partial_sketch,
    refuse_size,
)
from stillwatch_schemas.signals import ProfileSignal, Signal
from stillwatch_schemas.verdicts import Verdict

T = TypeVar("T")

_encode_json = msgspec.json.Encoder().encode
_UNFIT = (ValueError, RecursionError, OverflowError, MemoryError)
"""Everything that msgspec raises on bytes: its own errors and `UnicodeDecodeError` (bad UTF-8 in a field that we know)
are `ValueError`s, deep nesting is a `RecursionError`."""


class Codec(Generic[T]):
    """Decodes and encodes one contract. `what` names it in messages."""

    def __init__(self, what: str, contract: Any) -> None:
        self._what = what
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(contract)

    def decode(self, value: bytes | None, *, max_bytes: int = MAX_VALUE_BYTES) -> T:
        """The typed value of a record; raises `ContractError`."""
        if not value or len(value) > max_bytes:
            refuse_size(self._what, value, max_bytes)
        try:
            return self._decoder.decode(value)
        except _UNFIT as error:
            raise contract_error(self._what, error, value) from None

    def encode(self, value: T) -> bytes:
        """The record's value as UTF-8 JSON; raises `ContractError` for text that is not Unicode (lone surrogates)."""
        try:
            return _encode_json(value)
        except UnicodeEncodeError as error:
            message = f"this {self._what} holds a lone surrogate, which UTF-8 cannot carry: {error.reason}; replace it"
            raise ContractError("invalid_value", message) from None


_SIGNALS: Codec[Signal] = Codec("signal", Signal)
_PROFILES: Codec[ProfileSignal] = Codec("profile", ProfileSignal)
_DIRECTIVES: Codec[Directive] = Codec("directive", Directive)
_ACKS: Codec[Ack] = Codec("ack", Ack)
_VERDICTS: Codec[Verdict] = Codec("verdict", Verdict)

_decode_request_json = msgspec.json.Decoder(RequestEvent).decode


def decode_request(value: bytes | None, *, max_bytes: int = MAX_VALUE_BYTES) -> RequestEvent:
    """The request event in a record's value; raises `ContractError`."""
    events, errors = decode_requests((value,), max_bytes=max_bytes)
    if errors:
        raise errors[0]
    return events[0]


def decode_requests(
    values: Sequence[bytes | None], *, max_bytes: int = MAX_VALUE_BYTES
) -> tuple[list[RequestEvent], dict[int, ContractError]]:
    """The request events in these records' values, and by position why the other values are none.

    The hot path: nothing is called for a good value but the decoder.
    """
    events: list[RequestEvent] = []
    errors: dict[int, ContractError] = {}
    decode, rest = _decode_request_json, iter(values)
    while len(events) + len(errors) < len(values):
        try:
            for value in rest:
                if not value or len(value) > max_bytes:
                    refuse_size("request event", value, max_bytes)
                event = decode(value)
                sketch = event.sketch
                if sketch is not None and not (
                    len(sketch.minhash) in WHOLE_MINHASH and len(sketch.embedding) in WHOLE_EMBEDDING
                ):
                    refuse_partial_sketch(sketch)
                events.append(event)
        except ContractError as error:
            errors[len(events) + len(errors)] = error
        except _UNFIT as error:
            errors[len(events) + len(errors)] = contract_error("request event", error, value)
    return events, errors


def encode_request(event: RequestEvent, *, max_bytes: int = MAX_VALUE_BYTES) -> bytes:
    """The event as a record's value, mended so that `decode_request` accepts it.

    Raises `ContractError` when a field of the gateway's own (`fitting.OWN_FIELDS`) does not fit.
    """
    try:
        value = _encode_json(event)
        decode_request(value, max_bytes=max_bytes)
    except (ContractError, UnicodeEncodeError):
        event = convert_request(msgspec.structs.asdict(event))
        value = _encode_json(event)
    while len(value) > max_bytes and (event.prompt or event.system_prompt):
        event = shorten_text(event)
        value = _encode_json(event)
    return value


def decode_signal(value: bytes | None) -> Signal:
    """The signal in a record's value; raises `ContractError`."""
    return _SIGNALS.decode(value)


def encode_signal(signal: Signal) -> bytes:
    """The signal as a record's value."""
    return _SIGNALS.encode(signal)


def decode_profile(value: bytes | None) -> ProfileSignal:
    """What the campaign agent reads, in a record's value; raises `ContractError`."""
    return _PROFILES.decode(value)


def encode_profile(signal: ProfileSignal) -> bytes:
    """The same as a record's value."""
    return _PROFILES.encode(signal)


def decode_directive(value: bytes | None) -> Directive:
    """The directive in a record's value; raises `ContractError`. A null value releases the key: look for it before."""
    return _DIRECTIVES.decode(value)


def encode_directive(directive: Directive) -> bytes:
    """The directive as a record's value, signature and all."""
    return _DIRECTIVES.encode(directive)


def decode_ack(value: bytes | None) -> Ack:
    """The ack in a record's value; raises `ContractError`."""
    return _ACKS.decode(value)


def encode_ack(ack: Ack) -> bytes:
    """The ack as a record's value."""
    return _ACKS.encode(ack)


def decode_verdict(value: bytes | None) -> Verdict:
    """The verdict in a record's value; raises `ContractError`."""
    return _VERDICTS.decode(value)


def encode_verdict(verdict: Verdict) -> bytes:
    """The verdict as a record's value."""
    return _VERDICTS.encode(verdict)
