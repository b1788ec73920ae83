"""The AsyncAPI 3 document: topics, keys, headers and values, generated from the topics table and the structs.

Operations are told from Stillwatch's side: it receives what others write, it sends what others read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from stillwatch_schemas import jsonschema
from stillwatch_schemas.events import HEARTBEAT_HEADER
from stillwatch_schemas.topics import DLQ_SUFFIX, ENFORCEMENT, REQUESTS, TOPICS, Topic
from stillwatch_schemas.verdicts import VERDICT_HEADER

ASYNCAPI_VERSION: Final = "3.0.0"
KAFKA_BINDING: Final = "0.5.0"
OUTSIDERS: Final = frozenset({"gateway", "analyst"})
OURS: Final = frozenset({"account agent", "group agent", "policy agent", "feedback agent", "console"})
_REF: Final = "#/components/schemas/{name}"
_STRING: Final = {"type": "string"}
_DLQ_FIELDS: Final = ("topic", "partition", "offset", "group", "delivery.count", "message")


def asyncapi(version: str) -> dict[str, Any]:
    """The document as JSON-ready dictionaries; `version` is that of the contracts package."""
    public = [topic for topic in TOPICS if topic.schema or _holds_dead_letters(topic)]
    return {
        "asyncapi": ASYNCAPI_VERSION,
        "info": {
            "title": "Stillwatch",
            "version": version,
            "description": "Finds distillation attacks on LLM APIs in real time. Values are UTF-8 JSON without a "
            "schema-registry prefix; times are milliseconds since the epoch, UTC; unknown fields are ignored.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"bus": {"host": "localhost:9092", "protocol": "kafka", "description": "Your Kafka."}},
        "channels": {channel_id(topic): _channel(topic) for topic in public},
        "operations": {name: body for topic in public for name, body in _operations(topic)},
        "components": {
            "messages": {channel_id(topic): _message(topic) for topic in public},
            "schemas": jsonschema.components(_REF),
        },
    }


def channel_id(topic: Topic) -> str:
    """The topic's name in the document: `llm.requests.v1` is `llmRequestsV1`."""
    first, *rest = topic.name.split(".")
    return first + "".join(part.capitalize() for part in rest)


def _channel(topic: Topic) -> dict[str, Any]:
    config: dict[str, Any] = topic.config()
    configuration = config | {"cleanup.policy": [config["cleanup.policy"]]}
    if "retention.ms" in config:
        configuration["retention.ms"] = int(config["retention.ms"])
    return {
        "address": topic.name,
        "description": f"{topic.value[0].upper()}{topic.value[1:]}. Key: {topic.key}.",
        "messages": {channel_id(topic): {"$ref": f"#/components/messages/{channel_id(topic)}"}},
        "bindings": {"kafka": {"topicConfiguration": configuration, "bindingVersion": KAFKA_BINDING}},
    }


def _message(topic: Topic) -> dict[str, Any]:
    message: dict[str, Any] = {
        "name": topic.schema or "dead letter",
        "summary": topic.value,
        "bindings": {"kafka": {"key": _STRING | {"description": topic.key}, "bindingVersion": KAFKA_BINDING}},
    }
    if topic.schema:
        message["payload"] = {"$ref": _REF.format(name=topic.schema)}
    if topic is ENFORCEMENT:
        message["description"] = "A record without a value (a tombstone) releases the key at once."
    if topic is REQUESTS:
        heartbeat = _STRING | {
            "description": "ASCII milliseconds: the record moves the time on, its value is not read."
        }
        verdict = _STRING | {"description": "Present where the value is an analyst's verdict and no request."}
        message["headers"] = {"type": "object", "properties": {HEARTBEAT_HEADER: heartbeat, VERDICT_HEADER: verdict}}
    if _holds_dead_letters(topic):
        message["contentType"] = "application/octet-stream"
        message["headers"] = {
            "type": "object",
            "properties": {f"__dlq.errors.{field}": _STRING for field in (*_DLQ_FIELDS, "code")},
        }
    return message


def _holds_dead_letters(topic: Topic) -> bool:
    return topic.name.endswith(DLQ_SUFFIX)


def _operations(topic: Topic) -> Iterator[tuple[str, dict[str, Any]]]:
    """Send where one of our parts writes, receive where one of our parts reads."""
    if not OUTSIDERS.issuperset(topic.writers):
        yield _operation("send", channel_id(topic))
    if any(reader in OURS for reader in topic.readers):
        yield _operation("receive", channel_id(topic))


def _operation(action: str, channel: str) -> tuple[str, dict[str, Any]]:
    reference = f"#/channels/{channel}"
    messages = [{"$ref": f"{reference}/messages/{channel}"}]
    name = f"{action}{channel[0].upper()}{channel[1:]}"
    return name, {"action": action, "channel": {"$ref": reference}, "messages": messages}
