"""LiteLLM's StandardLoggingPayload becomes our event, and what does not fit is named in LiteLLM's words."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stillwatch_schemas.errors import ContractError
from stillwatch_schemas.events import RequestEvent
from stillwatch_streams.adapters import litellm


def success(**overrides: Any) -> dict[str, Any]:
    """What LiteLLM logs for a streamed chat completion through its proxy."""
    payload: dict[str, Any] = {
        "id": "chatcmpl-Bq7xT0",
        "litellm_call_id": "0b6f3f6e-6a3e-4a43-93a7-3cf9b1f4a1de",
        "trace_id": "a4c1f9d2-5a58-4a5e-9f0e-0f2f4d1f2a11",
        "session_id": "sess-31",
        "call_type": "acompletion",
        "stream": True,
        "status": "success",
        "custom_llm_provider": "openai",
        "total_tokens": 391,
        "prompt_tokens": 71,
        "completion_tokens": 320,
        "startTime": 1767225600.125,
        "endTime": 1767225604.375,
        "completionStartTime": 1767225600.625,
        "response_time": 4.25,
        "model": "gpt-5-mini-2025-08-07",
        "model_group": "assistant-large",
        "model_id": "3f9c",
        "api_base": "https://llm.example/v1",
        "cache_hit": False,
        "metadata": {
            "user_api_key_hash": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05",
            "user_api_key_alias": "team-prod",
            "user_api_key_org_id": "org-7",
            "user_api_key_team_id": "team-2",
            "user_api_key_user_id": "user-42",
            "user_api_key_user_email": "someone@example.com",
            "requester_ip_address": "198.51.100.9",
            "user_agent": "AsyncOpenAI/Python 2.8.1",
            "usage_object": {
                "prompt_tokens": 71,
                "completion_tokens": 320,
                "completion_tokens_details": {"reasoning_tokens": 192, "audio_tokens": 0},
                "prompt_tokens_details": {"cached_tokens": 64},
            },
        },
        "request_tags": ["User-Agent: AsyncOpenAI"],
        "end_user": "visitor-5",
        "requester_ip_address": "203.0.113.77",
        "messages": [
            {"role": "system", "content": "You answer tersely."},
            {"role": "user", "content": "Name a prime."},
            {"role": "assistant", "content": "7"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "And the next"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                    {"type": "text", "text": "three?"},
                ],
            },
        ],
        "response": {"id": "chatcmpl-Bq7xT0", "choices": [{"index": 0, "finish_reason": "length", "message": {}}]},
        "error_str": None,
        "error_information": None,
        "model_parameters": {
            "temperature": 1,
            "top_p": 0.9,
            "max_completion_tokens": 320,
            "n": 1,
            "seed": 5,
            "logprobs": True,
            "top_logprobs": 5,
            "reasoning_effort": "low",
            "response_format": {"type": "json_schema", "json_schema": {"name": "x"}},
            "tools": [{"type": "function"}, {"type": "function"}],
            "stream": True,
        },
        "hidden_params": {"model_id": "3f9c"},
    }
    return payload | overrides


def failure(**overrides: Any) -> dict[str, Any]:
    """What LiteLLM logs when the provider refuses: no response, no usage."""
    return success(
        status="failure",
        stream=None,
        prompt_tokens=0,
        completion_tokens=0,
        completionStartTime=0.0,
        response=None,
        error_str="litellm.RateLimitError: too many requests",
        error_information={"error_code": "429", "error_class": "RateLimitError", "llm_provider": "openai"},
        **overrides,
    )


def decoded(payload: dict[str, Any]) -> RequestEvent:
    return litellm.decode(msgspec.json.encode(payload))


def refused(payload: dict[str, Any]) -> ContractError:
    with pytest.raises(ContractError) as caught:
        decoded(payload)
    return caught.value


def test_every_mapped_field_of_a_success() -> None:
    assert decoded(success()) == RequestEvent(
        event_id="0b6f3f6e-6a3e-4a43-93a7-3cf9b1f4a1de",
        ts=1_767_225_600_125,
        account_id="user-42",
        model="assistant-large",
        org_id="org-7",
        api_key_id="88dc28d0f030c55ed4ab77ed8faf098196cb1c05",
        end_user_id="visitor-5",
        conversation_id="sess-31",
        turn=1,
        operation="chat",
        client_ip="203.0.113.77",
        user_agent="AsyncOpenAI/Python 2.8.1",
        prompt="And the next\nthree?",
        system_prompt="You answer tersely.",
        prompt_chars=19,
        temperature=1.0,
        top_p=0.9,
        max_tokens=320,
        n=1,
        stream=True,
        logprobs=True,
        top_logprobs=5,
        response_format="json_schema",
        reasoning_effort="low",
        tool_count=2,
        seed=5,
        input_tokens=71,
        output_tokens=320,
        reasoning_tokens=192,
        cached_tokens=64,
        status=200,
        finish_reason="length",
        latency_ms=4250.0,
        ttft_ms=500.0,
    )


def test_a_failure_is_an_event_too() -> None:
    event = decoded(failure())
    assert (event.status, event.finish_reason, event.output_tokens, event.ttft_ms) == (429, "error", 0, None)
    assert event.prompt == "And the next\nthree?"


@pytest.mark.parametrize("code", ["", None, "BudgetExceeded", "-1"])
def test_a_failure_without_a_status_counts_as_a_server_error(code: str | None) -> None:
    assert decoded(failure() | {"error_information": {"error_code": code}}).status == 500


def test_the_key_stands_in_for_an_unnamed_user() -> None:
    metadata = success()["metadata"] | {"user_api_key_user_id": None}
    assert decoded(success(metadata=metadata)).account_id == metadata["user_api_key_hash"]


def test_without_user_and_key_the_error_names_both() -> None:
    error = refused(success(metadata={}))
    assert error.code == "missing_field"
    assert error.field == "metadata.user_api_key_user_id or metadata.user_api_key_hash"
    assert error.field in str(error)


@pytest.mark.parametrize(
    ("overrides", "code", "field"),
    [
        ({"startTime": "yesterday"}, "wrong_type", "startTime"),
        ({"startTime": 12.5}, "invalid_value", "startTime"),
        ({"startTime": 1e308}, "invalid_value", "startTime"),
        ({"messages": 7}, "wrong_type", "messages"),
        ({"metadata": {"user_api_key_hash": 5}}, "wrong_type", "metadata.user_api_key_hash"),
        ({"model": None, "model_group": None}, "missing_field", "model_group or model"),
        ({"id": None, "litellm_call_id": None}, "missing_field", "litellm_call_id or id"),
    ],
)
def test_errors_name_the_field_as_litellm_calls_it(overrides: dict[str, Any], code: str, field: str) -> None:
    error = refused(success(**overrides))
    assert (error.code, error.field) == (code, field)


def test_a_payload_without_start_time_is_refused() -> None:
    payload = success()
    del payload["startTime"]
    error = refused(payload)
    assert (error.code, error.field) == ("missing_field", "startTime")


@pytest.mark.parametrize(
    ("call_type", "operation"),
    [
        ("completion", "chat"),
        ("acompletion", "chat"),
        ("atext_completion", "text_completion"),
        ("aembedding", "embeddings"),
        ("anthropic_messages", "chat"),
        ("arerank", "arerank"),
    ],
)
def test_call_types_become_operations(call_type: str, operation: str) -> None:
    assert decoded(success(call_type=call_type)).operation == operation


@pytest.mark.parametrize(
    ("messages", "prompt"),
    [
        ("a bare string", "a bare string"),
        (["one", "two"], "one\ntwo"),
        ({"role": "user", "content": "one dict"}, "one dict"),
        (None, None),
        ([], None),
        ([{"role": "assistant", "content": "only an answer"}], None),
        ([{"role": "user", "content": None}], None),
        ([{"role": "user", "content": "redacted-by-litellm"}], None),
        ("redacted-by-litellm", None),
        ([7, None, {"role": ["user"]}, {"role": "user", "content": "odd neighbours"}], "odd neighbours"),
    ],
)
def test_shapes_of_messages(messages: Any, prompt: str | None) -> None:
    assert decoded(success(messages=messages)).prompt == prompt


def test_what_the_client_chose_never_hides_a_request() -> None:
    silly = success(
        messages="x" * 300_000,
        user_agent="u" * 5_000,
        model_parameters={"temperature": "hot", "n": -1, "seed": 2**70, "response_format": 3, "tools": "none"},
    )
    event = decoded(silly)
    assert event.account_id == "user-42"
    assert event.prompt_chars == 300_000
    assert event.temperature is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=6,
)


@given(field=st.sampled_from(sorted(success())), value=json_values)
def test_whatever_a_field_holds_it_decodes_or_is_refused(field: str, value: Any) -> None:
    try:
        raw = msgspec.json.encode(success(**{field: value}))
    except (OverflowError, UnicodeEncodeError):
        return
    with contextlib.suppress(ContractError):
        assert litellm.decode(raw).account_id
