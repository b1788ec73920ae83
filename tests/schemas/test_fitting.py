"""A client must not be able to turn its own events into dead letters by what it puts into its requests."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stillwatch_schemas.codec import decode_request, encode_request
from stillwatch_schemas.errors import ContractError
from stillwatch_schemas.events import RequestEvent
from stillwatch_schemas.fitting import OWN_FIELDS, convert_request
from stillwatch_schemas.limits import MAX_TEXT_CHARS
from support.builders import T0, make_event, make_sketch

ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=300)
CLIENT_FIELDS = sorted(set(RequestEvent.__struct_fields__) - OWN_FIELDS)


def test_what_a_client_overdid_is_cut_or_left_out() -> None:
    event = make_event(user_agent="a" * 5_000, model="m" * 900, temperature=math.nan, seed=2**80, top_p=math.inf)
    read = decode_request(encode_request(event))
    assert (len(read.user_agent or ""), len(read.model)) == (1_024, 256)
    assert (read.temperature, read.seed, read.top_p) == (None, None, None)
    assert read.prompt == event.prompt


def test_a_long_prompt_is_cut_and_its_length_kept() -> None:
    read = decode_request(encode_request(make_event(prompt="p" * (MAX_TEXT_CHARS + 9))))
    assert len(read.prompt or "") == MAX_TEXT_CHARS
    assert read.prompt_chars == MAX_TEXT_CHARS + 9


def test_texts_that_fit_alone_but_not_together_are_halved() -> None:
    wide = "\N{GRINNING FACE}" * MAX_TEXT_CHARS
    value = encode_request(make_event(prompt=wide, system_prompt=wide))
    assert len(value) <= 1_048_576
    assert decode_request(value).prompt_chars == MAX_TEXT_CHARS


def test_lone_surrogates_are_replaced() -> None:
    read = decode_request(encode_request(make_event(prompt="a\ud800b", canary_ids=("c\udc00",))))
    assert (read.prompt, read.canary_ids) == ("a\N{REPLACEMENT CHARACTER}b", ("c\N{REPLACEMENT CHARACTER}",))


def test_a_list_that_is_too_long_keeps_its_beginning() -> None:
    read = decode_request(encode_request(make_event(canary_ids=tuple(f"c{i}" for i in range(100)))))
    assert read.canary_ids == tuple(f"c{i}" for i in range(64))


def test_a_broken_sketch_is_left_out() -> None:
    assert decode_request(encode_request(make_event(sketch=make_sketch(minhash=(1, 2))))).sketch is None
    assert decode_request(encode_request(make_event(sketch=make_sketch(cells=(9_999,))))).sketch is None


@pytest.mark.parametrize(
    "changes", [{"account_id": ""}, {"account_id": "a" * 300}, {"event_id": "\ud800"}, {"ts": 17}, {"ts": None}]
)
def test_the_gateways_own_fields_are_refused_not_mended(changes: dict[str, Any]) -> None:
    with pytest.raises(ContractError) as caught:
        encode_request(make_event(**changes))
    assert caught.value.field == next(iter(changes))


def test_a_missing_identity_is_refused() -> None:
    with pytest.raises(ContractError) as caught:
        convert_request({"event_id": "e", "ts": T0, "model": "m"})
    assert (caught.value.code, caught.value.field) == ("missing_field", "account_id")


@given(st.dictionaries(st.sampled_from(CLIENT_FIELDS), ANYTHING | st.lists(ANYTHING, max_size=3), max_size=5))
def test_whatever_the_client_sends_the_event_is_written_and_read(changes: dict[str, Any]) -> None:
    value = encode_request(msgspec.structs.replace(make_event(), **changes))
    assert decode_request(value).account_id == "acct-1"
