"""Packing from plain JSON: the same bytes as decoding and packing; what is not plain is left alone, never guessed."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stillwatch_models import columns
from stillwatch_models.columns import PackedRequest
from stillwatch_models.packing import pack
from stillwatch_schemas.codec import decode_request, encode_request
from stillwatch_schemas.errors import ContractError
from stillwatch_schemas.events import RequestEvent, Sketch
from support.builders import make_event, make_full_event, make_sketch

PLAIN = make_full_event(prompt=None, system_prompt=None)


def packed(*values: bytes | None) -> list[PackedRequest | None]:
    """What becomes of these values."""
    events, others = pack(values)
    assert others == [at for at, event in enumerate(events) if event is None]
    return events


def one(value: bytes) -> PackedRequest:
    """The event in a plain value."""
    (event,) = packed(value)
    assert event is not None
    return event


def assert_is_what_decoding_gives(event: PackedRequest, value: bytes) -> None:
    """Bit for bit."""
    decoded = decode_request(value)
    assert (event.ts, event.event_id, event.account_id) == (decoded.ts, decoded.event_id, decoded.account_id)
    assert event.unpacked() == decoded
    found, expected = (columns.build([some], [7])[0] for some in (event, decoded))
    assert {name: found[name].tolist() for name in columns.EVENT.names or ()} == {
        name: expected[name].tolist() for name in columns.EVENT.names or ()
    }
    assert found.tobytes() == expected.tobytes()


def json_with(**changes: Any) -> dict[str, Any]:
    """The fields of a full event without texts, some replaced; `...` leaves one out."""
    fields = json.loads(encode_request(PLAIN)) | changes
    return {name: value for name, value in fields.items() if value is not ...}


@pytest.mark.parametrize(
    "event",
    [
        PLAIN,
        make_event(prompt=None),
        make_event(prompt=None, sketch=Sketch()),
        make_event(prompt=None, sketch=make_sketch(minhash=(), embedding=b"", cells=())),
        make_event(prompt=None, sketch=make_sketch(style=7, system_template=2**52 - 1, elicitation=1.0, code=0.123456)),
        make_event(prompt=None, client_ip="2001:db8:1:2::3", client_ja4="t13", user_agent=None),
        make_event(prompt=None, client_ip="::ffff:192.0.2.1", temperature=0.0),
        make_event(prompt=None, temperature=-0.0, seed=-(2**40), finish_reason="length", status=429, output_tokens=0),
        make_event(prompt=None, client_ip="", canary_ids=("a", "b"), directive_ids=("c",)),
    ],
)
def test_a_plain_event_is_packed_as_decoding_would(event: RequestEvent) -> None:
    value = encode_request(event)
    assert_is_what_decoding_gives(one(value), value)


def test_spaces_between_tokens_and_any_order_of_fields_are_plain() -> None:
    fields = json_with()
    shuffled = dict(reversed(list(fields.items()))) | {"sketch": dict(reversed(list(fields["sketch"].items())))}
    value = json.dumps(shuffled).encode()
    assert b": " in value
    assert_is_what_decoding_gives(one(value), value)


def test_absent_and_null_are_the_same() -> None:
    names = [field.name for field in msgspec.structs.fields(RequestEvent) if field.default is None]
    value = json.dumps(json_with(**dict.fromkeys(names))).encode()
    assert_is_what_decoding_gives(one(value), value)
    without = json.dumps(json_with(**dict.fromkeys(names, ...))).encode()
    assert one(value).columns == one(without).columns


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": "to be sketched"},
        {"system_prompt": ""},
        {"account_id": "Zo\u00eb"},
        {"account_id": 'a"b'},
        {"something": "new"},
        {"temperature": 0.1234567890123456},
        {"temperature": 1e-7},
        {"seed": 2**62},
        {"ts": 1.0},
    ],
)
def test_what_is_not_plain_is_left_to_the_general_decoder(changes: dict[str, Any]) -> None:
    assert packed(json.dumps(json_with(**changes)).encode()) == [None]


@pytest.mark.parametrize(
    "changes",
    [
        {"account_id": ...},
        {"account_id": None},
        {"account_id": ""},
        {"account_id": "a" * 257},
        {"model": 3},
        {"ts": 1_000},
        {"input_tokens": -1},
        {"client_asn": 2**32},
        {"stream": 1},
        {"temperature": 1_001},
        {"latency_ms": -1},
        {"canary_ids": ["x"] * 65},
        {"canary_ids": [""]},
        {"canary_ids": "x"},
        {"sketch": []},
        {"sketch": {"minhash": [1, 2, 3]}},
        {"sketch": {"minhash": list(range(17))}},
        {"sketch": {"minhash": [-1] * 16}},
        {"sketch": {"cells": [4_096]}},
        {"sketch": {"embedding": "AAAA"}},
        {"sketch": {"embedding": "A" * 42 + "B="}},
        {"sketch": {"elicitation": 1.01}},
        {"sketch": {"ts": 5}},
    ],
)
def test_what_the_contract_refuses_is_not_packed(changes: dict[str, Any]) -> None:
    value = json.dumps(json_with(**changes)).encode()
    assert packed(value) == [None]


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{}",
        b"null",
        b'{"event_id"',
        encode_request(PLAIN)[:-1],
        encode_request(PLAIN) + b"}",
        encode_request(PLAIN) + b"\n",
        encode_request(PLAIN).replace(b",", b",\n", 1),
        encode_request(PLAIN).replace(b'"turn":3', b'"turn":03'),
        encode_request(PLAIN).replace(b'"turn":3', b'"turn":3,'),
        encode_request(PLAIN).replace(b'"turn":3', b'"turn":3,"turn":3'),
        encode_request(PLAIN).replace(b'"top_p":0.95', b'"top_p":0.'),
        encode_request(PLAIN).replace(b'"top_p":0.95', b'"top_p":.95'),
        encode_request(PLAIN).replace(b'"top_p":0.95', b'"top_p":-'),
        encode_request(PLAIN).replace(b"true", b"tru"),
    ],
)
def test_bytes_that_are_no_plain_event_are_not_packed(value: bytes | None) -> None:
    whole = encode_request(PLAIN)
    first, middle, last = packed(whole, value, whole)
    assert middle is None
    assert first == last == one(whole)


def test_no_values_no_events() -> None:
    assert pack([]) == ([], [])


_SHARES = st.floats(0, 1) | st.decimals(0, 1, places=4).map(float)
_WORDS = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20) | st.text(max_size=4)
_SKETCHES = st.builds(
    make_sketch,
    chars=st.integers(0, 10**9),
    text_hash=st.integers(0, 2**52 - 1),
    system_template=st.integers(0, 2**52 - 1),
    style=st.integers(0, 255),
    minhash=st.just(()) | st.lists(st.integers(0, 2**32 - 1), min_size=16, max_size=16).map(tuple),
    cells=st.lists(st.integers(0, 4_095), max_size=4).map(tuple),
    embedding=st.just(b"") | st.binary(min_size=32, max_size=32),
    elicitation=_SHARES,
    grading=_SHARES,
)
_EVENTS = st.builds(
    make_event,
    prompt=st.none(),
    sketch=st.none() | _SKETCHES,
    event_id=_WORDS.filter(bool),
    conversation_id=st.none() | _WORDS,
    client_ip=st.none() | st.ip_addresses().map(str) | _WORDS,
    client_ja4=st.none() | _WORDS,
    user_agent=st.none() | _WORDS,
    turn=st.none() | st.integers(0, 10**9),
    temperature=st.none() | st.floats(-1_000, 1_000) | st.integers(-1_000, 1_000),
    seed=st.none() | st.integers(-(2**63), 2**63 - 1),
    output_tokens=st.none() | st.integers(0, 10),
    finish_reason=st.none() | st.sampled_from(["length", "stop", "lengthy"]),
    logprobs=st.none() | st.booleans(),
    top_logprobs=st.none() | st.integers(0, 20),
)


@given(_EVENTS)
def test_whatever_is_packed_is_what_decoding_gives(event: RequestEvent) -> None:
    value = encode_request(event)
    (found,) = packed(value)
    if found is not None:
        assert_is_what_decoding_gives(found, value)


_VALUE = encode_request(PLAIN)


@settings(max_examples=500)
@given(
    st.integers(0, len(_VALUE) - 1),
    st.sampled_from(b'0123456789abcdefnrtu{}[]":,-+.eE \\\n\x00\x7f\xc3'),
    st.booleans(),
)
def test_a_changed_byte_is_never_packed_into_something_else(at: int, byte: int, insert: bool) -> None:
    value = _VALUE[:at] + bytes([byte]) + _VALUE[at if insert else at + 1 :]
    (found,) = packed(value)
    try:
        decode_request(value)
    except ContractError:
        assert found is None
    else:
        if found is not None:
            assert_is_what_decoding_gives(found, value)


def test_numpy_reads_what_was_packed() -> None:
    row = np.frombuffer(one(_VALUE).columns, columns.EVENT)[0]
    assert row["ts"] == PLAIN.ts
