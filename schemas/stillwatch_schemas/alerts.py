"""Alerts (topic `llm.alerts.v1`): findings written as OCSF Detection Findings, and read again.

A SIEM reads the OCSF fields; our own agents read the typed finding again from `unmapped.stillwatch` and
`evidences[].data`, so nothing is lost on the way. Same finding, same bytes: no clock, no random ids.
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from stillwatch_schemas.codec import Codec
from stillwatch_schemas.errors import ContractError
from stillwatch_schemas.findings import Evidence, Finding
from stillwatch_schemas.limits import MAX_MEMBERS, MAX_VALUE_BYTES
from stillwatch_schemas.ocsf import detection_finding


def encode_alert(finding: Finding) -> bytes:
    """The alert's record value; where it would be too long to send, members are cut and `metadata.is_truncated` set."""
    value = orjson.dumps(detection_finding(finding))
    whole, kept = len(value), len(finding.members)
    while kept and (kept > MAX_MEMBERS or len(value) > MAX_VALUE_BYTES):
        kept = min(kept // 2, MAX_MEMBERS)
        value = orjson.dumps(_truncated(finding, kept, whole))
    return value


def _truncated(finding: Finding, kept: int, whole: int) -> dict[str, Any]:
    total = max(finding.members_total, len(finding.members))
    less = msgspec.structs.replace(finding, members=finding.members[:kept], members_total=total)
    document = detection_finding(less)
    document["metadata"] |= {"is_truncated": True, "untruncated_size": whole}
    return document


class _Unmapped(msgspec.Struct, frozen=True):
    stillwatch: Finding


class _EvidenceEntry(msgspec.Struct, frozen=True):
    data: Evidence


class _Alert(msgspec.Struct, frozen=True):
    """The part of an alert that is ours."""

    unmapped: _Unmapped
    evidences: tuple[_EvidenceEntry, ...] = ()


_ALERTS: Codec[_Alert] = Codec("alert", _Alert)


def decode_finding(value: bytes | None) -> Finding:
    """The finding that `encode_alert` wrote, evidence included; raises `ContractError` for anything else."""
    found = _ALERTS.decode(value)
    evidence = tuple(entry.data for entry in found.evidences)
    return msgspec.structs.replace(found.unmapped.stillwatch, evidence=evidence)


def decode_alert(value: bytes | None) -> dict[str, Any]:
    """The whole OCSF document, unchecked but for being a JSON object: for those who display it."""
    try:
        document = orjson.loads(value or b"")
    except orjson.JSONDecodeError as error:
        raise ContractError("malformed_json", f"this alert is not one JSON document in UTF-8: {error}") from None
    if not isinstance(document, dict):
        raise ContractError("wrong_type", f"this alert is a JSON {type(document).__name__}, not an object")
    return document
