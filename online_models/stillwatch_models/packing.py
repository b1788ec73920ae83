"""Request events out of raw records straight into their columns' layout, where the JSON is plain.

A plain event costs no Python object but two texts and the packed record: a third of what decoding and packing cost.
What comes out is bit for bit what `columns` makes of the decoded event.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.compiled import Number, Record, lean, lean_part
from stillwatch_schemas.limits import MAX_VALUE_BYTES, MINHASH_VALUES
from stillwatch_schemas.plain_json import Bytes, decode_base64
from stillwatch_schemas.plain_requests import BASE64_BYTES, FIELD, GIVEN, read_request, room

from stillwatch_models.columns import (
    CELLS,
    EVENT,
    FIRST_PERSON,
    GREETS,
    LEAST_ANSWER,
    LEAST_FAILURE,
    LOWER_32,
    MINHASHES,
    MS_PER_DAY,
    OPENS_FORMALLY,
    WHOLE_SHARE,
    Events,
    PackedRequest,
)
from stillwatch_models.networks import NO_NETWORK, network_code, plain_network

PLACE = np.dtype([(name, "i8", (2,)) for name in ("event_id", "account_id", "client_ip")])
"""Where the texts are that an event is known by: start and end."""

_MINHASH, _CELLS = FIELD["minhash"], FIELD["cells"]
_LENGTH = np.frombuffer(b"length", np.uint8)
_NONE = np.frombuffer(b"None", np.uint8)
_BETWEEN = 0x1F
"""What stands between a client's fingerprint and its user agent."""

_NOT_PLAIN, _PACKED, _BUT_FOR_NETWORK = range(3)
"""What became of an event; the networks of others than plain IPv4 addresses are left to `networks`."""


def _crc_table() -> NDArray[np.int64]:
    """CRC-32 of every byte, as zlib has it."""
    crc = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        crc = np.where(crc & 1, np.uint32(0xEDB88320) ^ (crc >> 1), crc >> 1).astype(np.uint32)
    return crc.astype(np.int64)


_CRC = _crc_table()
_CRC_START = 0xFFFF_FFFF


def pack(values: Sequence[bytes | None]) -> tuple[list[PackedRequest | None], list[int]]:
    """The events in these records' values, and the positions of those values that are no plain event, if any at all."""
    whole = [value if value and len(value) <= MAX_VALUE_BYTES else b"" for value in values]
    joined = b"\n".join([*whole, b""])
    rows, places, became = np.zeros(len(whole), EVENT), np.zeros(len(whole), PLACE), np.zeros(len(whole), np.uint8)
    ends = np.cumsum(np.fromiter(map(len, whole), np.int64, len(whole)) + 1) - 1
    _pack(np.frombuffer(joined, np.uint8), ends, rows, places, became, *room())
    text = joined.decode("latin-1")
    for at in np.flatnonzero(became == _BUT_FOR_NETWORK).tolist():
        start, end = places["client_ip"][at].tolist()
        rows["net"][at] = network_code(text[start:end])
    packed, size = rows.tobytes(), EVENT.itemsize
    events = [
        PackedRequest(ts, text[id_start:id_end], text[start:end], packed[at : at + size], value) if is_packed else None
        for is_packed, ts, (id_start, id_end), (start, end), at, value in zip(
            became.tolist(),
            rows["ts"].tolist(),
            places["event_id"].tolist(),
            places["account_id"].tolist(),
            range(0, len(packed), size),
            whole,
            strict=True,
        )
    ]
    return events, np.flatnonzero(became == _NOT_PLAIN).tolist()


@lean
def _pack(  # noqa: PLR0917 - in compiled code arguments have positions only
    text: Bytes,
    ends: NDArray[np.int64],
    rows: Events,
    places: NDArray[np.void],
    became: NDArray[np.uint8],
    found: Record,
    named: Record,
) -> None:
    """Pack every plain event; `ends` are the positions of the line feeds behind them."""
    start = 0
    for i in range(len(ends)):
        if read_request(text, start, found) == ends[i] and _is_whole(named):
            became[i] = _fill(rows[i], text, found, named)
            _note(places[i], named.start, named.end)
        start = ends[i] + 1


@lean_part
def _is_whole(named: Record) -> bool:
    """Whether a sketch has all of its MinHash and of its embedding, or none."""
    end = named.end
    return end.minhash in (0, MINHASH_VALUES) and end.embedding - named.start.embedding in (0, BASE64_BYTES)


@lean_part
def _note(place: Record, start: Record, end: Record) -> None:
    place.event_id[0], place.event_id[1] = start.event_id, end.event_id
    place.account_id[0], place.account_id[1] = start.account_id, end.account_id
    place.client_ip[0], place.client_ip[1] = start.client_ip, end.client_ip


@lean_part
def _fill(row: Record, text: Bytes, found: Record, named: Record) -> int:
    """Write a record, as `columns` does; returns what became of the event."""
    if not _fill_sketch(row, text, found, named):
        return _NOT_PLAIN
    _fill_names(row, text, named.start, named.end)
    _fill_request(row, text, named)
    network = plain_network(text, named.start.client_ip, named.end.client_ip)
    row.net = max(network, 0)
    return _BUT_FOR_NETWORK if network == NO_NETWORK else _PACKED


@lean_part
def _fill_names(row: Record, text: Bytes, start: Record, end: Record) -> None:
    row.event_hash = _crc(text, start.event_id, end.event_id)
    row.conversation = _crc(text, start.conversation_id, end.conversation_id)
    row.model = _crc(text, start.model, end.model)
    row.org = _crc(text, start.org_id, end.org_id)
    row.payment = _crc(text, start.payment_id, end.payment_id)
    if end.client_ja4 > start.client_ja4:
        row.client = _client(text, start, end)


@lean_part
def _client(text: Bytes, start: Record, end: Record) -> int:
    """`networks.client_code` of a fingerprint and its user agent."""
    crc = _CRC_START
    for i in range(start.client_ja4, end.client_ja4):
        crc = _crc_on(crc, text[i])
    crc = _crc_on(crc, _BETWEEN)
    if start.user_agent == 0:  # absent or null: a text never begins where the record does
        for byte in _NONE:
            crc = _crc_on(crc, byte)
    for i in range(start.user_agent, end.user_agent):
        crc = _crc_on(crc, text[i])
    return crc ^ _CRC_START


@lean_part
def _fill_request(row: Record, text: Bytes, named: Record) -> None:
    number, state = named.number, named.state
    row.ts = number.ts
    row.asn = number.client_asn
    row.created = number.account_created_at // MS_PER_DAY
    row.input_tokens = number.input_tokens
    row.output_tokens = number.output_tokens
    row.reasoning_tokens = number.reasoning_tokens
    row.answered = state.output_tokens != GIVEN or number.output_tokens >= LEAST_ANSWER
    row.one_shot = number.turn == 0
    row.follow_up = number.turn != 0
    row.rides_limit = _is_length(text, named.start.finish_reason, named.end.finish_reason)
    row.failed = number.status >= LEAST_FAILURE
    row.logprobs = number.logprobs != 0 or number.top_logprobs != 0
    row.many = number.n > 1
    row.fixed = state.seed == GIVEN or (state.temperature == GIVEN and named.real.temperature == 0.0)
    row.tools = number.tool_count != 0


@lean_part
def _is_length(text: Bytes, start: int, end: int) -> bool:
    if end - start != len(_LENGTH):
        return False
    for i in range(len(_LENGTH)):  # noqa: SIM110 - compiled code has no generators
        if text[start + i] != _LENGTH[i]:
            return False
    return True


@lean_part
def _fill_sketch(row: Record, text: Bytes, found: Record, named: Record) -> bool:
    """Write what the sketch says, or what no sketch says; False where its embedding is not canonical Base64."""
    number, share, start, end = named.number, named.real, named.start, named.end
    row.has_text = named.state.sketch == GIVEN
    row.text_hash = number.text_hash
    row.template = number.template
    row.opening = number.opening
    row.lead = number.lead
    row.tail = number.tail
    row.chars = number.chars
    row.system_template = number.system_template & LOWER_32
    row.system = row.system_template != 0
    row.formal = number.style & OPENS_FORMALLY
    row.impersonal = (number.style & (FIRST_PERSON | GREETS)) == 0
    row.elicitation = int(share.elicitation * WHOLE_SHARE)
    row.grading = int(share.grading * WHOLE_SHARE)
    row.probing = int(share.probing * WHOLE_SHARE)
    row.code = int(share.code * WHOLE_SHARE)
    for i in range(MINHASHES):
        row.minhash[i] = found.items[_MINHASH, i] if end.minhash else 0
    for i in range(CELLS):
        row.cells[i] = found.items[_CELLS, i] if i < end.cells else -1
    return end.embedding <= start.embedding or decode_base64(text, start.embedding, end.embedding, row.embedding)


@lean_part
def _crc_on(crc: int, byte: Number) -> int:
    """CRC-32 with one more byte."""
    return int(_CRC[(crc ^ byte) & 255]) ^ (crc >> 8)


@lean_part
def _crc(text: Bytes, start: int, end: int) -> int:
    crc = _CRC_START
    for i in range(start, end):
        crc = _crc_on(crc, text[i])
    return crc ^ _CRC_START
