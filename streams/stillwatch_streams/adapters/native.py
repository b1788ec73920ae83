"""Stillwatch's own request event, as the emitter writes it (design: the request topic's contract)."""

from __future__ import annotations

from collections.abc import Sequence

from stillwatch_models.columns import Request
from stillwatch_models.packing import pack
from stillwatch_schemas.codec import decode_requests
from stillwatch_schemas.errors import ContractError

_TEXT = b'"prompt":'


def decode_all(values: Sequence[bytes | None]) -> tuple[Sequence[Request], dict[int, ContractError]]:
    """The events in these records' values, and by position the ContractError of the others, which names the field.

    Plain events come out packed; the others go the long way, which knows all of JSON and says what is wrong. An event
    with a text has to go it anyway, and where there is one, its neighbours mostly are alike.
    """
    if values and _TEXT in (values[0] or b""):
        return decode_requests(values)
    packed, others = pack(values)
    events, refused = decode_requests([values[at] for at in others])
    errors = {others[at]: error for at, error in refused.items()}
    decoded = iter(events)
    return [event or next(decoded) for at, event in enumerate(packed) if at not in errors], errors
