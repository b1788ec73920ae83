"""Schema evolution: optional fields may come, nothing may go. Compared with the schemas of the first release.

`breaks` names every change that an older writer (its records are still in the topic) or an older reader would notice.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from stillwatch_schemas.jsonschema import NAMES, json_schema

FIRST = Path(__file__).parents[1] / "golden" / "v1" / "schemas"
LOOSER_UP = ("maximum", "maxLength", "maxItems")
LOOSER_DOWN = ("minimum", "minLength", "minItems")


def breaks(old: dict[str, Any], new: dict[str, Any], path: str = "$") -> Iterator[str]:
    """Every way in which the new schema refuses what the old one took, or promises less."""
    for name, was in old.get("$defs", {}).items():
        yield from breaks(was, new.get("$defs", {}).get(name, {}), f"{path}/{name}")
    for name, was in old.get("properties", {}).items():
        if name not in new.get("properties", {}):
            yield f"{path}.{name} is gone"
        else:
            yield from breaks(was, new["properties"][name], f"{path}.{name}")
    for name in set(new.get("required", ())) - set(old.get("required", ())):
        yield f"{path}.{name} has become required"
    for name in set(old.get("required", ())) - set(new.get("required", ())):
        yield f"{path}.{name} is no longer promised"
    yield from narrowed(old, new, path)


def narrowed(old: dict[str, Any], new: dict[str, Any], path: str) -> Iterator[str]:
    if kinds(old) - kinds(new):
        yield f"{path} no longer takes {sorted(kinds(old) - kinds(new))}"
    if "default" in old and new.get("default") != old["default"]:
        yield f"{path} has another default: old records that left it out change their meaning"
    if "enum" in old and set(old["enum"]) - set(new.get("enum", old["enum"])):
        yield f"{path} no longer takes every word"
    if "items" in old:
        yield from breaks(old["items"], new.get("items", {}), f"{path}[]")
    for bound, sign in [(name, 1) for name in LOOSER_UP] + [(name, -1) for name in LOOSER_DOWN]:
        for was, now in zip(plain(old), plain(new), strict=False):
            if bound in now and sign * now[bound] < sign * was.get(bound, sign * float("inf")):
                yield f"{path} has a tighter {bound}"


def plain(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]


def kinds(schema: dict[str, Any]) -> set[str]:
    """JSON types, references and constants that the schema allows."""
    options = schema.get("anyOf", [schema])
    return {str(option.get("$ref") or option.get("const") or option.get("type", "")) for option in options} - {""}


def first_release(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((FIRST / f"{name}.schema.json").read_text())
    return schema


@pytest.mark.parametrize("name", NAMES)
def test_todays_contract_takes_and_promises_all_that_the_first_release_did(name: str) -> None:
    today = json.loads(json.dumps(json_schema(name)))
    assert list(breaks(first_release(name), today)) == []


def edited(edit: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    schema = copy.deepcopy(first_release("request"))
    edit(schema["$defs"]["RequestEvent"])
    return schema


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda event: event["properties"].pop("client_asn"), "client_asn is gone"),
        (lambda event: event["properties"].update(asn=event["properties"].pop("client_asn")), "client_asn is gone"),
        (lambda event: event["required"].append("org_id"), "org_id has become required"),
        (lambda event: event["required"].remove("model"), "model is no longer promised"),
        (lambda event: event["properties"]["ts"].update(type="string"), "no longer takes"),
        (lambda event: event["properties"]["org_id"]["anyOf"].pop(), "no longer takes"),
        (lambda event: event["properties"]["prompt"]["anyOf"][0].update(maxLength=10), "tighter maxLength"),
        (lambda event: event["properties"]["status"]["anyOf"][0].update(minimum=100), "tighter minimum"),
        (lambda event: event["properties"]["canary_ids"]["items"].update(minLength=5), "tighter minLength"),
        (lambda event: event["properties"]["canary_ids"].update(minItems=1), "tighter minItems"),
        (lambda event: event["properties"]["operation"].update(default="embeddings"), "another default"),
    ],
)
def test_a_breaking_change_is_seen(edit: Callable[[dict[str, Any]], object], complaint: str) -> None:
    assert any(complaint in found for found in breaks(first_release("request"), edited(edit)))


def test_a_word_less_is_seen() -> None:
    new = copy.deepcopy(first_release("directive"))
    new["$defs"]["Directive"]["properties"]["action"]["enum"].remove("noise")
    assert list(breaks(first_release("directive"), new)) == ["$/Directive.action no longer takes every word"]


def test_an_optional_field_more_and_a_wider_limit_are_fine() -> None:
    def widen(event: dict[str, Any]) -> None:
        event["properties"]["modality"] = {"type": "string", "default": "text"}
        event["properties"]["model"]["maxLength"] = 1_000

    assert list(breaks(first_release("request"), edited(widen))) == []
