"""Reading exchanges: the three request dialects, and usage out of plain and streamed answers."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stillwatch_serving.exchange import ResponseWatch, conversation_id, parse_body, request_fields

JSON = [(b"content-type", b"application/json")]
SSE = [(b"content-type", b"text/event-stream; charset=utf-8")]


def fields_of(body: object) -> dict[str, object]:
    return request_fields(parse_body(msgspec.json.encode(body)), max_prompt_chars=1_000)


def test_an_openai_chat_request() -> None:
    found = fields_of(
        {
            "model": "aurora-2",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "first"},
                {"role": "assistant", "content": "answer"},
                {"role": "user", "content": [{"type": "text", "text": "second"}, {"type": "image_url"}]},
            ],
            "max_completion_tokens": 64,
            "temperature": 0.5,
            "logprobs": True,
            "top_logprobs": 5,
            "response_format": {"type": "json_object"},
            "tools": [{}, {}],
            "user": "u-1",
        }
    )
    expected = {
        "model": "aurora-2",
        "prompt": "second",
        "prompt_chars": 6,
        "system_prompt": "Be brief.",
        "turn": 1,
        "max_tokens": 64,
        "temperature": 0.5,
        "logprobs": True,
        "top_logprobs": 5,
        "response_format": "json_object",
        "tool_count": 2,
        "end_user_id": "u-1",
        "stream": False,
    }
    assert expected.items() <= found.items()


def test_an_anthropic_request() -> None:
    found = fields_of(
        {
            "model": "aurora-2",
            "system": [{"type": "text", "text": "Be kind."}],
            "messages": [{"role": "user", "content": "hello"}],
            "max_tokens": 10,
            "metadata": {"user_id": "u-9"},
        }
    )
    expected = {"system_prompt": "Be kind.", "prompt": "hello", "max_tokens": 10, "end_user_id": "u-9"}
    assert expected.items() <= found.items()


def test_a_completion_request() -> None:
    assert fields_of({"model": "m", "prompt": "Once upon"})["prompt"] == "Once upon"


def test_text_is_cut_and_its_length_kept() -> None:
    found = fields_of({"prompt": "x" * 5_000})
    assert (len(str(found["prompt"])), found["prompt_chars"]) == (1_000, 5_000)


@given(st.binary(max_size=300))
def test_any_bytes_give_fields(body: bytes) -> None:
    assert request_fields(parse_body(body), max_prompt_chars=10)["model"] is not None


@given(
    st.dictionaries(
        st.sampled_from(["model", "messages", "system", "prompt", "tools", "metadata", "response_format", "stream"]),
        st.recursive(
            st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content"]), inner),
            max_leaves=8,
        ),
        max_size=4,
    )
)
@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no finding
def test_any_json_gives_fields(body: dict[str, object]) -> None:
    parsed = parse_body(msgspec.json.encode(body))
    assert request_fields(parsed, max_prompt_chars=10)["model"] is not None
    conversation_id("acct", parsed)


def test_turns_of_one_conversation_share_an_id_and_accounts_do_not() -> None:
    first = {"messages": [{"role": "user", "content": "hello"}]}
    later = {"messages": [*first["messages"], {"role": "assistant", "content": "hi"}, {"role": "user", "content": "?"}]}
    assert conversation_id("a", first) == conversation_id("a", later) != conversation_id("b", first)
    assert conversation_id("a", {}) is None


def test_usage_of_a_plain_answer() -> None:
    watch = ResponseWatch()
    watch.started(200, JSON)
    answer = {
        "choices": [{"finish_reason": "length"}],
        "usage": {
            "prompt_tokens": 12,
            "completion_tokens": 40,
            "completion_tokens_details": {"reasoning_tokens": 30},
            "prompt_tokens_details": {"cached_tokens": 8},
        },
    }
    body = msgspec.json.encode(answer)
    watch.body(body[:20])
    watch.body(body[20:])
    assert watch.fields() == {
        "status": 200,
        "finish_reason": "length",
        "input_tokens": 12,
        "output_tokens": 40,
        "reasoning_tokens": 30,
        "cached_tokens": 8,
    }


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_usage_of_a_stream_however_it_is_cut(size: int) -> None:
    stream = b"".join(
        b"data: " + msgspec.json.encode(document) + b"\n\n"
        for document in (
            {"choices": [{"delta": {"content": "Hello"}}]},
            {"choices": [{"delta": {}, "finish_reason": "stop"}]},
            {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 9}},
        )
    )
    watch = ResponseWatch()
    watch.started(200, SSE)
    for start in range(0, len(stream), size):
        watch.body(stream[start : start + size])
    found = watch.fields()
    assert (found["finish_reason"], found["input_tokens"], found["output_tokens"]) == ("stop", 3, 9)


def test_a_stream_without_usage_is_measured_by_its_chunks() -> None:
    watch = ResponseWatch()
    watch.started(200, SSE)
    for _ in range(4):
        watch.body(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n')
    assert watch.fields()["output_tokens"] == 4


def test_an_anthropic_stream() -> None:
    watch = ResponseWatch()
    watch.started(200, SSE)
    for document in (
        {"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 22}},
    ):
        watch.body(b"event: x\ndata: " + msgspec.json.encode(document) + b"\n\n")
    found = watch.fields()
    assert (found["finish_reason"], found["input_tokens"], found["output_tokens"]) == ("end_turn", 5, 22)


def test_answers_that_cannot_be_read_cost_no_memory() -> None:
    watch = ResponseWatch()
    watch.started(200, JSON)
    for _ in range(40):
        watch.body(b"x" * 65_536)
    assert len(watch._held) == 0
    assert watch.fields()["output_tokens"] is None
