"""What we publish about the contracts (JSON Schema, AsyncAPI, tables) is what the code does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stillwatch_schemas import codec, generate
from stillwatch_schemas.alerts import encode_alert
from stillwatch_schemas.asyncapi import asyncapi
from stillwatch_schemas.errors import ContractError
from stillwatch_schemas.jsonschema import NAMES, STRUCTS, field_docs, json_schema
from stillwatch_schemas.topics import TOPICS
from support.builders import make_contribution, make_directive, make_event, make_finding, make_full_event, make_verdict

DOCUMENT = asyncapi("1.2.3")


def test_the_committed_files_are_what_the_code_says() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "stillwatch_schemas.generate", "--check"], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr


def test_drift_is_found_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check", "--out", str(tmp_path)]) == 1
    assert generate.main(["--out", str(tmp_path)]) == 0
    assert generate.main(["--check", "--out", str(tmp_path)]) == 0
    (tmp_path / "topics.md").write_text("# Topics, edited by hand\n")
    capsys.readouterr()
    assert generate.main(["--check", "--out", str(tmp_path)]) == 1
    assert "topics.md" in capsys.readouterr().err


def validator(name: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(json_schema(name))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("request", codec.encode_request(make_event())),
        ("request", codec.encode_request(make_full_event())),
        ("signal", codec.encode_signal(make_contribution())),
        ("directive", codec.encode_directive(make_directive())),
        ("verdict", codec.encode_verdict(make_verdict(note="n", release=True))),
        ("alert", encode_alert(make_finding())),
    ],
)
def test_what_we_write_fits_the_published_schema(name: str, value: bytes) -> None:
    schema, fields = validator(name), json.loads(value)
    assert schema.is_valid(fields)
    for required in json_schema(name).get("required") or json_schema(name)["$defs"][_struct(name)]["required"]:
        assert not schema.is_valid({field: found for field, found in fields.items() if field != required})


def _struct(name: str) -> str:
    return {"request": "RequestEvent", "signal": "Contribution", "directive": "Directive", "verdict": "Verdict"}[name]


VALUES = st.none() | st.booleans() | st.integers(-(2**33), 2**33) | st.floats(-1e12, 1e12) | st.text(max_size=8)
SCHEMA = validator("request")
# Embeddings are left out: JSON Schema does not look inside base64, nor does it say "sixteen or none".
FIELDS = sorted(set(make_full_event().__struct_fields__) - {"sketch"})


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES | st.lists(st.text(max_size=4), max_size=70), max_size=4))
def test_the_published_schema_and_the_decoder_agree(changes: dict[str, Any]) -> None:
    fields = json.loads(codec.encode_request(make_event())) | changes
    assert SCHEMA.is_valid(fields) == decodes(codec.decode_request, json.dumps(fields).encode()) or integral(changes)


def integral(changes: dict[str, Any]) -> bool:
    """JSON Schema takes 1.0 for an integer, the decoder does not: the one known difference."""
    return any(isinstance(value, float) and value.is_integer() for value in changes.values())


def decodes(decode: Callable[[bytes], Any], value: bytes) -> bool:
    try:
        decode(value)
    except ContractError:
        return False
    return True


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from references(child)


def resolve(document: Any, reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        document = document[step]
    return document


def test_every_reference_in_the_asyncapi_document_leads_somewhere() -> None:
    found = list(references(DOCUMENT))
    assert len(found) >= 2 * len(DOCUMENT["channels"]) + len(DOCUMENT["operations"])
    for reference in found:
        assert resolve(DOCUMENT, reference)


def test_the_asyncapi_document_has_every_public_topic_with_its_configuration() -> None:
    channels = {channel["address"]: channel for channel in DOCUMENT["channels"].values()}
    assert set(channels) == {topic.name for topic in TOPICS if not topic.name.startswith("stillwatch.checkpoints.")}
    enforcement = channels["llm.enforcement.v1"]["bindings"]["kafka"]["topicConfiguration"]
    assert enforcement["cleanup.policy"] == ["compact"]
    assert channels["llm.requests.v1"]["bindings"]["kafka"]["topicConfiguration"]["retention.ms"] == 604_800_000
    assert DOCUMENT["operations"]["receiveLlmRequestsV1"]["action"] == "receive"
    assert DOCUMENT["operations"]["sendLlmEnforcementV1"]["action"] == "send"
    assert "sendLlmVerdictsV1" not in DOCUMENT["operations"]


def test_no_word_of_openapi_strays_into_the_schemas() -> None:
    """AsyncAPI's own schema refuses an object under `discriminator`."""
    assert '"discriminator"' not in json.dumps(DOCUMENT)


def test_topics_name_schemas_that_exist() -> None:
    assert {topic.schema for topic in TOPICS if topic.schema} == set(NAMES)
    assert all(topic.writers and topic.readers for topic in TOPICS)


def test_the_docstrings_under_the_fields_are_published() -> None:
    assert field_docs(type(make_event()))["ts"] == "Arrival at the gateway."
    published = json_schema("request")["$defs"]["RequestEvent"]["properties"]["ts"]
    assert published["description"] == "Arrival at the gateway."


def test_every_struct_of_the_contracts_is_in_the_fields_page() -> None:
    page = generate.documents()["fields.md"]
    for struct in STRUCTS:
        for field in msgspec.structs.fields(struct):
            if (struct.__name__, field.name) != ("Finding", "evidence"):
                assert f"`{field.encode_name}`" in page
