"""LiteLLM's `StandardLoggingPayload` (what its loggers receive for every success and failure) to our request event.

LiteLLM keeps no ASN, TLS fingerprint, payment or sign-up time, so those stay empty. Content that LiteLLM redacted is
treated as absent: one constant text in every prompt would look like one verbatim repeat by everybody. Values that the
client chose (text, user agent, parameters) are made to fit rather than refused, so that nobody can hide a request in
the dead-letter queue by writing something silly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from stillwatch_schemas.codec import Codec
from stillwatch_schemas.errors import ContractError
from stillwatch_schemas.events import RequestEvent
from stillwatch_schemas.fitting import convert_request

MAX_PAYLOAD_BYTES = 16 * 1_048_576
"""A payload holds the whole conversation and the answer, so the limit lies well above an event's."""
REDACTED = "redacted-by-litellm"
OPERATIONS = {
    "completion": "chat",
    "text_completion": "text_completion",
    "embedding": "embeddings",
    "responses": "chat",
    "anthropic_messages": "chat",
    "generate_content": "generate_content",
}
"""`call_type` without its leading `a` (async) → OTel `gen_ai.operation.name`; others are passed on as they are."""

SOURCE_NAMES = {
    "event_id": "litellm_call_id or id",
    "ts": "startTime",
    "account_id": "metadata.user_api_key_user_id or metadata.user_api_key_hash",
    "model": "model_group or model",
    "org_id": "metadata.user_api_key_org_id",
    "api_key_id": "metadata.user_api_key_hash",
    "end_user_id": "end_user",
    "conversation_id": "session_id or trace_id",
    "operation": "call_type",
    "client_ip": "requester_ip_address",
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
    "reasoning_tokens": "metadata.usage_object.completion_tokens_details.reasoning_tokens",
    "cached_tokens": "metadata.usage_object.prompt_tokens_details.cached_tokens",
    "prompt": "messages",
    "system_prompt": "messages",
    "status": "error_information.error_code",
    "finish_reason": "response.choices[0].finish_reason",
    "latency_ms": "endTime",
    "ttft_ms": "completionStartTime",
    "n": "model_parameters.n",
    "seed": "model_parameters.seed",
}
"""Where each of our fields came from, so that an error names what the operator can look up."""

PARAMETERS = ("temperature", "top_p", "n", "logprobs", "top_logprobs", "reasoning_effort", "seed")


class Metadata(msgspec.Struct):
    """The part of `metadata` we read."""

    user_api_key_user_id: str | None = None
    user_api_key_hash: str | None = None
    user_api_key_org_id: str | None = None
    requester_ip_address: str | None = None
    user_agent: str | None = None
    usage_object: dict[str, Any] | None = None


class Payload(msgspec.Struct):
    """The part of a StandardLoggingPayload we read; everything else is ignored."""

    startTime: float  # noqa: N815 - LiteLLM's spelling
    id: str | None = None
    litellm_call_id: str | None = None
    trace_id: str | None = None
    session_id: str | None = None
    call_type: str = "completion"
    stream: bool | None = None
    status: str = "success"
    model: str | None = None
    model_group: str | None = None
    metadata: Metadata | None = None
    end_user: str | None = None
    requester_ip_address: str | None = None
    user_agent: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    endTime: float | None = None  # noqa: N815 - LiteLLM's spelling
    completionStartTime: float | None = None  # noqa: N815 - LiteLLM's spelling
    messages: str | list[Any] | dict[str, Any] | None = None
    response: Any = None
    model_parameters: dict[str, Any] | None = None
    error_information: dict[str, Any] | None = None


_PAYLOADS: Codec[Payload] = Codec("LiteLLM payload", Payload)


def decode_all(values: Sequence[bytes | None]) -> tuple[list[RequestEvent], dict[int, ContractError]]:
    """The events in these payloads, and by position why the other payloads give none."""
    events: list[RequestEvent] = []
    errors: dict[int, ContractError] = {}
    for at, value in enumerate(values):
        try:
            events.append(decode(value))
        except ContractError as error:
            errors[at] = error
    return events, errors


def decode(value: bytes | None) -> RequestEvent:
    """One payload to one event; ContractError names the field as LiteLLM calls it."""
    payload = _PAYLOADS.decode(value, max_bytes=MAX_PAYLOAD_BYTES)
    fields = _identity(payload) | _usage(payload) | _result(payload) | _parameters(payload.model_parameters or {})
    fields |= _texts(payload.messages)
    try:
        return convert_request({name: given for name, given in fields.items() if given is not None})
    except ContractError as error:
        raise _in_their_words(error) from error


def _identity(payload: Payload) -> dict[str, Any]:
    metadata = payload.metadata or Metadata()
    call = payload.call_type
    return {
        "event_id": payload.litellm_call_id or payload.id,
        "ts": _milliseconds(payload.startTime, "startTime"),
        "account_id": metadata.user_api_key_user_id or metadata.user_api_key_hash,
        "model": payload.model_group or payload.model,
        "org_id": metadata.user_api_key_org_id,
        "api_key_id": metadata.user_api_key_hash,
        "end_user_id": payload.end_user or None,
        "conversation_id": payload.session_id or payload.trace_id,
        "operation": OPERATIONS.get(call) or OPERATIONS.get(call.removeprefix("a")) or call,
        "client_ip": payload.requester_ip_address or metadata.requester_ip_address,
        "user_agent": payload.user_agent or metadata.user_agent,
    }


def _usage(payload: Payload) -> dict[str, Any]:
    usage = (payload.metadata.usage_object if payload.metadata else None) or {}
    return {
        "input_tokens": payload.prompt_tokens,
        "output_tokens": payload.completion_tokens,
        "reasoning_tokens": _inside(usage.get("completion_tokens_details"), "reasoning_tokens"),
        "cached_tokens": _inside(usage.get("prompt_tokens_details"), "cached_tokens"),
    }


def _result(payload: Payload) -> dict[str, Any]:
    choices = _inside(payload.response, "choices")
    finish = _inside(choices[0], "finish_reason") if isinstance(choices, list) and choices else None
    return {
        "stream": payload.stream,
        "status": 200 if payload.status == "success" else _error_status(payload.error_information or {}),
        "finish_reason": finish or ("error" if payload.status != "success" else None),
        "latency_ms": _elapsed(payload.startTime, payload.endTime),
        "ttft_ms": _elapsed(payload.startTime, payload.completionStartTime) if payload.stream else None,
    }


def _error_status(error: dict[str, Any]) -> int:
    """LiteLLM writes the HTTP status of a failure as text, sometimes empty."""
    code = str(error.get("error_code") or "")
    return int(code) if code.isascii() and code.isdigit() and len(code) == len("500") else 500


def _parameters(given: dict[str, Any]) -> dict[str, Any]:
    fields = {name: given.get(name) for name in PARAMETERS}
    fields["max_tokens"] = given.get("max_completion_tokens", given.get("max_tokens"))
    response_format = given.get("response_format")
    fields["response_format"] = _inside(response_format, "type") or (
        response_format if isinstance(response_format, str) else None
    )
    tools = given.get("tools")
    fields["tool_count"] = len(tools) if isinstance(tools, list) else None
    return fields


def _texts(messages: object) -> dict[str, Any]:
    """The last user message, the system prompt, and which turn of the conversation this is."""
    if isinstance(messages, str):
        return _prompt(_kept(messages))
    listed = messages if isinstance(messages, list) else [messages]
    if listed and all(isinstance(message, str) for message in listed):
        return _prompt(_kept("\n".join(str(message) for message in listed)))
    prompt = system = None
    turns = 0
    for message in listed:
        role = _inside(message, "role")
        if role == "user":
            prompt = _content(_inside(message, "content")) or prompt
            turns += 1
        elif role in ("system", "developer") and system is None:
            system = _content(_inside(message, "content"))
    return _prompt(prompt) | {"system_prompt": system, "turn": turns - 1 if turns else None}


def _prompt(prompt: str | None) -> dict[str, Any]:
    return {"prompt": prompt, "prompt_chars": len(prompt) if prompt is not None else None}


def _content(content: object) -> str | None:
    """The text of a message: a string, or the text parts of a list of parts (images and audio are left out)."""
    if isinstance(content, str):
        return _kept(content)
    if not isinstance(content, list):
        return None
    parts: list[Any] = [part if isinstance(part, str) else _inside(part, "text") for part in content]
    return _kept("\n".join(part for part in parts if isinstance(part, str))) or None


def _kept(text: str) -> str | None:
    return None if text == REDACTED else text


def _inside(holder: object, name: str) -> Any:
    return holder.get(name) if isinstance(holder, dict) else None


def _milliseconds(seconds: float, field: str) -> int:
    try:
        return round(seconds * 1_000)
    except (OverflowError, ValueError) as error:
        raise ContractError("invalid_value", f"LiteLLM payload: {field} is {seconds}", field=field) from error


def _elapsed(start: float, end: float | None) -> float | None:
    """Milliseconds between two of LiteLLM's times; None where the end is not known (0) or lies before the start."""
    return round((end - start) * 1_000, 3) if end is not None and end >= start else None


def _in_their_words(error: ContractError) -> ContractError:
    """An error about one of our fields, told with LiteLLM's name for it."""
    ours = error.field or ""
    theirs = SOURCE_NAMES.get(ours, ours)
    message = (
        f"LiteLLM payload: `{theirs}` is missing" if error.code == "missing_field" else f"LiteLLM payload: {error}"
    )
    return ContractError(error.code, f"{message} (`{theirs}` gives our `{ours}`)", field=theirs)
