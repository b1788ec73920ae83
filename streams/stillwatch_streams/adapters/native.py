"""Stillwatch's own request event, as the emitter writes it (design: the request topic's contract)."""

from __future__ import annotations

from stillwatch_schemas.codec import decode_request
from stillwatch_schemas.events import RequestEvent


def decode(value: bytes | None) -> RequestEvent:
    """The event in a record's value; ContractError names the field."""
    return decode_request(value)
