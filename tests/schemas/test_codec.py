"""The codec's promise: any bytes whatever either decode or raise `ContractError` with a stable code, nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stillwatch_schemas import codec
from stillwatch_schemas.errors import ContractError
from stillwatch_schemas.limits import MAX_TEXT_CHARS, MAX_TS_MS, MAX_VALUE_BYTES
from stillwatch_schemas.refusals import CODES
from support.builders import (
    T0,
    make_contribution,
    make_directive,
    make_event,
    make_full_event,
    make_pane_closed,
    make_sketch,
    make_verdict,
)

DECODERS = [codec.decode_request, codec.decode_signal, codec.decode_directive, codec.decode_verdict]


def request_with(**changes: Any) -> bytes:
    """A good request as JSON with some fields replaced by anything JSON can say; `...` removes a field."""
    fields = json.loads(codec.encode_request(make_event())) | changes
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def refusal(value: bytes | None) -> ContractError:
    with pytest.raises(ContractError) as caught:
        codec.decode_request(value)
    return caught.value


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"account_id": ...}, "missing_field", "account_id"),
        ({"account_id": None}, "wrong_type", "account_id"),
        ({"account_id": ""}, "invalid_value", "account_id"),
        ({"account_id": "a" * 257}, "oversized", "account_id"),
        ({"ts": "2026-01-01"}, "wrong_type", "ts"),
        ({"ts": T0 // 1000}, "invalid_value", "ts"),
        ({"ts": T0 * 1000}, "invalid_value", "ts"),
        ({"ts": 10**400}, "invalid_value", "ts"),
        ({"prompt": "x" * (MAX_TEXT_CHARS + 1)}, "oversized", "prompt"),
        ({"temperature": "hot"}, "wrong_type", "temperature"),
        ({"temperature": 1e300}, "invalid_value", "temperature"),
        ({"input_tokens": -1}, "invalid_value", "input_tokens"),
        ({"output_tokens": 10**9 + 1}, "invalid_value", "output_tokens"),
        ({"client_asn": 2**32}, "invalid_value", "client_asn"),
        ({"stream": 1}, "wrong_type", "stream"),
        ({"user_agent": "u" * 1025}, "oversized", "user_agent"),
        ({"canary_ids": "can-1"}, "wrong_type", "canary_ids"),
        ({"canary_ids": ["c"] * 65}, "oversized", "canary_ids"),
        ({"canary_ids": ["c", 7]}, "wrong_type", "canary_ids[1]"),
        ({"sketch": {"minhash": [1, 2]}}, "invalid_value", "sketch.minhash"),
        ({"sketch": {"embedding": "AAAA"}}, "invalid_value", "sketch.embedding"),
        ({"sketch": {"embedding": "!"}}, "invalid_value", "sketch.embedding"),
        ({"sketch": {"cells": [4096]}}, "invalid_value", "sketch.cells[0]"),
        ({"sketch": {"text_hash": 2**52}}, "invalid_value", "sketch.text_hash"),
        ({"sketch": []}, "wrong_type", "sketch"),
    ],
)
def test_a_field_that_does_not_fit_is_named_with_its_code(changes: dict[str, Any], code: str, field: str) -> None:
    error = refusal(request_with(**changes))
    assert (error.code, error.field) == (code, field)
    assert field in str(error)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "empty_value"),
        (b"", "empty_value"),
        (b"{", "malformed_json"),
        (b"\xef\xbb\xbf" + request_with(), "malformed_json"),
        (request_with() + b" {}", "malformed_json"),
        (request_with(model="MODEL").replace(b"MODEL", b"\xff"), "malformed_json"),
        (request_with(model="MODEL").replace(b"MODEL", b"\\ud800"), "malformed_json"),
        (request_with(model="MODEL").replace(b"MODEL", b"\x00"), "malformed_json"),
        (request_with(top_p=0.5).replace(b"0.5", b"NaN"), "malformed_json"),
        (request_with(top_p=0.5).replace(b"0.5", b"-Infinity"), "malformed_json"),
        (request_with(top_p=0.5).replace(b"0.5", b"1e999"), "invalid_value"),
        (b'{"x":' + b"[" * 200_000, "too_deep"),
        (b"[]", "wrong_type"),
        (b"null", "wrong_type"),
        (b'"text"', "wrong_type"),
        (b" " * (MAX_VALUE_BYTES + 1), "oversized"),
    ],
)
def test_bytes_that_are_no_request_are_refused_with_a_code(value: bytes | None, code: str) -> None:
    assert refusal(value).code == code


def test_the_message_shows_the_value_but_never_the_text() -> None:
    assert "found -1" in str(refusal(request_with(client_asn=-1)))
    assert "4111" not in str(refusal(request_with(prompt=["4111 1111"])))
    assert len(str(refusal(request_with(ts="x" * 5_000)))) < 200


def test_what_is_odd_but_fits_is_taken() -> None:
    """Duplicate keys (the last counts), NUL written as an escape, unknown fields, limits met exactly."""
    doubled = request_with().replace(b"{", b'{"account_id": "other", ', 1)
    assert codec.decode_request(doubled).account_id == "acct-1"
    assert codec.decode_request(request_with(user_agent="\0")).user_agent == "\0"
    assert codec.decode_request(request_with(from_the_future={"a": [1, {}]})) == make_event()
    assert codec.decode_request(request_with(ts=MAX_TS_MS, account_id="a" * 256)).ts == MAX_TS_MS


def test_of_many_values_the_bad_ones_are_told_by_their_position() -> None:
    good = [codec.encode_request(make_event(event_id=name)) for name in "abc"]
    values = [b"{", None, good[0], good[1], b"x" * (MAX_VALUE_BYTES + 1), good[2], b"[]"]
    events, errors = codec.decode_requests(values)
    assert [event.event_id for event in events] == ["a", "b", "c"]
    assert {at: error.code for at, error in errors.items()} == {
        0: "malformed_json",
        1: "empty_value",
        4: "oversized",
        6: "wrong_type",
    }
    assert {at: str(error) for at, error in errors.items()} == {at: str(refusal(values[at])) for at in errors}
    assert codec.decode_requests([]) == ([], {})


def test_the_size_limit_can_be_set() -> None:
    value = codec.encode_request(make_event())
    assert codec.decode_request(value, max_bytes=len(value)) == make_event()
    with pytest.raises(ContractError, match="bytes"):
        codec.decode_request(value, max_bytes=len(value) - 1)


@pytest.mark.parametrize("event", [make_event(), make_full_event(), make_event(prompt=None, sketch=make_sketch())])
def test_requests_round_trip(event: Any) -> None:
    assert codec.decode_request(codec.encode_request(event)) == event


def test_the_other_contracts_round_trip() -> None:
    for signal in (make_contribution(), make_pane_closed()):
        assert codec.decode_signal(codec.encode_signal(signal)) == signal
    assert codec.decode_directive(codec.encode_directive(make_directive())) == make_directive()
    assert codec.decode_verdict(codec.encode_verdict(make_verdict())) == make_verdict()


def test_a_surrogate_is_refused_on_writing_too() -> None:
    with pytest.raises(ContractError, match="surrogate"):
        codec.encode_verdict(make_verdict(note="\ud800"))


def outcome(decode: Callable[[bytes], Any], value: bytes) -> str:
    """What became of the bytes: `decoded` or the code. Every exception but `ContractError` fails the test."""
    try:
        decode(value)
    except ContractError as error:
        return error.code
    return "decoded"


def decode_or_refuse(value: bytes) -> None:
    assert {outcome(decode, value) for decode in DECODERS} <= {"decoded", *CODES}


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_are_refused(value: bytes) -> None:
    decode_or_refuse(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = sorted(
    {
        name
        for value in (make_full_event(), make_directive(), make_verdict(), make_contribution())
        for name in msgspec.structs.asdict(value)
    }
    | {"type", "from_the_future"}
)


@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6))
def test_any_json_in_any_field_decodes_or_is_refused(changes: dict[str, Any]) -> None:
    decode_or_refuse(request_with(**changes))
    decode_or_refuse(json.dumps(json.loads(codec.encode_directive(make_directive())) | changes).encode())
    decode_or_refuse(json.dumps(json.loads(codec.encode_signal(make_contribution())) | changes).encode())


@given(st.data())
def test_flipped_and_cut_bytes_decode_or_are_refused(data: st.DataObject) -> None:
    value = bytearray(codec.encode_request(make_full_event()))
    for _ in range(data.draw(st.integers(1, 4))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    decode_or_refuse(bytes(value[: data.draw(st.integers(0, len(value)))]))
