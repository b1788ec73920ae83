"""JSON Schemas of the contracts, generated from the structs: nobody writes a schema by hand, so none can drift.

Descriptions come from the docstrings under the fields. Needs the source files (it is a build-time tool).
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any, Final

import msgspec

from stillwatch_schemas.acks import Ack
from stillwatch_schemas.directives import Directive, Params
from stillwatch_schemas.events import RequestEvent, Sketch
from stillwatch_schemas.findings import Evidence, Finding
from stillwatch_schemas.ocsf import CLASS_UID, OCSF_VERSION
from stillwatch_schemas.signals import (
    CampaignVerdict,
    Content,
    Contribution,
    EpochClosed,
    PaneClosed,
    Profile,
    ProfileSignal,
    Samples,
    Signal,
)
from stillwatch_schemas.verdicts import Verdict

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
TYPES: Final[dict[str, Any]] = {
    "request": RequestEvent,
    "signal": Signal,
    "profile": ProfileSignal,
    "directive": Directive,
    "ack": Ack,
    "verdict": Verdict,
}
"""Contracts that are one typed value; the alert is an OCSF document and stands apart (`alert_schema`)."""
OCSF_REQUIRED: Final = ("class_uid", "activity_id", "type_uid", "time", "severity_id", "metadata", "finding_info")
NAMES: Final = (*TYPES, "alert")
STRUCTS: Final[tuple[type[msgspec.Struct], ...]] = (
    RequestEvent,
    Sketch,
    Contribution,
    PaneClosed,
    Profile,
    Content,
    Samples,
    EpochClosed,
    CampaignVerdict,
    Directive,
    Params,
    Ack,
    Verdict,
    Finding,
    Evidence,
)


def json_schema(name: str) -> dict[str, Any]:
    """The self-contained schema of one contract by its name in the topics table."""
    if name == "alert":
        body, definitions = alert_schema("#/$defs/{name}"), _components((Finding, Evidence), "#/$defs/{name}")
    else:
        (body,), definitions = _generated((TYPES[name],), "#/$defs/{name}")
    return {"$schema": DIALECT, "$id": f"urn:stillwatch:schema:{name}:v1"} | body | {"$defs": definitions}


def components(ref_template: str) -> dict[str, Any]:
    """Every struct's schema by name, and each contract's under its own name, for a document that holds them all."""
    bodies, definitions = _generated(tuple(TYPES.values()), ref_template)
    contracts = dict(zip(TYPES, bodies, strict=True)) | {"alert": alert_schema(ref_template)}
    return definitions | _components((Finding, Evidence), ref_template) | contracts


def alert_schema(ref_template: str) -> dict[str, Any]:
    """What we promise of an alert beyond OCSF: the fields that are always there, and our typed finding."""
    finding, evidence = ref_template.format(name="Finding"), ref_template.format(name="Evidence")
    return {
        "title": "Alert",
        "description": (
            f"An OCSF {OCSF_VERSION} Detection Finding with profile security_control. This schema says only what is "
            "always there; the whole is https://schema.ocsf.io/1.8.0/classes/detection_finding?profiles=security_control"
        ),
        "type": "object",
        "required": [*OCSF_REQUIRED, "unmapped"],
        "properties": {
            "class_uid": {"const": CLASS_UID},
            "activity_id": {"enum": [1, 2, 3], "description": "Create, Update, Close."},
            "type_uid": {"enum": [200401, 200402, 200403]},
            "time": {"type": "integer", "description": "Event time, milliseconds since the epoch."},
            "severity_id": {"enum": [2, 3, 4, 5], "description": "Low, Medium, High, Critical."},
            "metadata": _object(
                {"version": {"const": OCSF_VERSION}, "uid": _text("Id of this message: for de-duplication.")},
                optional={"correlation_uid": _text("The campaign.")},
            ),
            "finding_info": _object({"uid": _text("The incident: the same from Create to Close.")}),
            "evidences": {"type": "array", "items": _object({"data": {"$ref": evidence}})},
            "unmapped": _object({"stillwatch": {"$ref": finding}}),
        },
    }


def field_docs(struct: type) -> dict[str, str]:
    """The docstrings that stand under a struct's fields, by field."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(struct))).body
    assert isinstance(body, ast.ClassDef)  # noqa: S101  # for mypy: the source of a class is a class
    docs: dict[str, str] = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            docs[field.target.id] = " ".join(ast.literal_eval(below.value).split())
    return docs


def _generated(types: tuple[Any, ...], ref_template: str) -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
    bodies, definitions = msgspec.json.schema_components(types, ref_template=ref_template)
    for body in bodies:
        body.pop(
            "discriminator", None
        )  # OpenAPI's word; the tags are in the alternatives, where every reader sees them
    return bodies, {name: _described(name, schema) for name, schema in sorted(definitions.items())}


def _components(types: tuple[Any, ...], ref_template: str) -> dict[str, Any]:
    """Schemas of the structs inside an alert. The evidence stands in `evidences`, not in the typed finding."""
    definitions = _generated(types, ref_template)[1]
    del definitions["Finding"]["properties"]["evidence"]
    return definitions


def _described(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    docs = field_docs(next(struct for struct in STRUCTS if struct.__name__ == name))
    for field, doc in docs.items():
        schema["properties"][field] = schema["properties"][field] | {"description": doc}
    schema["description"] = inspect.cleandoc(schema["description"])
    return schema


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "object", "required": sorted(required), "properties": required | (optional or {})}


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}
