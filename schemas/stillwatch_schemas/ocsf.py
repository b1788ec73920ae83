"""One finding as one OCSF 1.8.0 Detection Finding document: which of our figures goes where.

Profile `security_control`: what the detector did is *observed* and *detected*; what the serving tier does about it
stands in the directives.
"""

from __future__ import annotations

import importlib.metadata
import math
from typing import Any, Final

import msgspec

from stillwatch_schemas.findings import Evidence, Finding
from stillwatch_schemas.limits import MAX_PARAGRAPH_CHARS
from stillwatch_schemas.observables import observables, source_endpoint, user
from stillwatch_schemas.techniques import ATLAS_VERSION, Technique, kind_of

OCSF_VERSION: Final = "1.8.0"
CLASS_UID: Final = 2004
ACTIVITIES: Final = {"create": (1, "Create"), "update": (2, "Update"), "close": (3, "Close")}
STATUSES: Final = {"create": (1, "New"), "update": (2, "In Progress"), "close": (4, "Resolved")}
SEVERITIES: Final = {"low": (2, "Low"), "medium": (3, "Medium"), "high": (4, "High"), "critical": (5, "Critical")}
_RISK_LEVELS: Final = {"low": 1, "medium": 2, "high": 3, "critical": 4}
_OBSERVED: Final = 3
_DETECTED: Final = 15
_SURE, _LIKELY = 67, 34
"""Confidence scores from which OCSF's `confidence_id` says high and medium."""
_GREATEST: Final = 1e300
_VENDOR: Final = "Stillwatch"
_PRODUCT: Final = {
    "name": "Stillwatch",
    "vendor_name": _VENDOR,
    "version": importlib.metadata.version("stillwatch-schemas"),
}


def detection_finding(finding: Finding) -> dict[str, Any]:
    """The finding as an OCSF Detection Finding: plain dictionaries and lists, absent fields left out."""
    activity_id, activity = ACTIVITIES[finding.activity]
    status_id, status = STATUSES[finding.activity]
    severity_id, severity = SEVERITIES[finding.tier]
    evidence = [_sound(item) for item in finding.evidence]
    document = {
        "activity_id": activity_id,
        "activity_name": activity,
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": CLASS_UID,
        "class_name": "Detection Finding",
        "type_uid": CLASS_UID * 100 + activity_id,
        "type_name": f"Detection Finding: {activity}",
        "time": finding.time_ms,
        "start_time": finding.first_seen_ms,
        "end_time": finding.last_seen_ms,
        "count": finding.exchanges,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "is_alert": finding.activity != "close",
        "action_id": _OBSERVED,
        "disposition_id": _DETECTED,
        "risk_score": finding.risk_score,
        "risk_level_id": _RISK_LEVELS[finding.tier],
        "confidence_score": finding.confidence_score,
        "confidence_id": 1 + (finding.confidence_score >= _LIKELY) + (finding.confidence_score >= _SURE),
        "message": _message(finding),
        "metadata": _metadata(finding),
        "finding_info": _finding_info(finding),
        "evidences": [_evidence(finding, item) for item in evidence],
        "anomaly_analyses": [_anomaly(finding, item) for item in evidence],
        "observables": observables(finding),
        "unmapped": {"stillwatch": _typed(finding)},
    }
    return {name: value for name, value in document.items() if value != []}


def _typed(finding: Finding) -> dict[str, Any]:
    fields = _listed(msgspec.structs.asdict(finding))
    del fields["evidence"]
    return {name: value for name, value in fields.items() if value is not None and value != []}


def _listed(fields: dict[str, Any]) -> dict[str, Any]:
    """The same with tuples as lists, as JSON would read them back."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}


def _message(finding: Finding) -> str:
    title = kind_of(finding.kind).title
    head = f"{finding.subject_kind} {finding.subject}: {title} ({finding.tier}, risk {finding.risk_score}/100)"
    return f"{head}. {finding.evidence[0].statement}" if finding.evidence else head


def _metadata(finding: Finding) -> dict[str, Any]:
    fields = {
        "version": OCSF_VERSION,
        "product": _PRODUCT,
        "profiles": ["security_control"],
        "uid": finding.alert_uid,
        "correlation_uid": finding.campaign_uid,
        "event_code": finding.kind,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _finding_info(finding: Finding) -> dict[str, Any]:
    kind = kind_of(finding.kind)
    statements = [f"({number}) {item.statement}" for number, item in enumerate(finding.evidence, 1)]
    info: dict[str, Any] = {
        "uid": finding.uid,
        "title": f"{finding.subject_kind} {finding.subject}: {kind.title}",
        "desc": " ".join([kind.desc, *statements]),
        "types": [finding.kind],
        "first_seen_time": finding.first_seen_ms,
        "last_seen_time": finding.last_seen_ms,
        "modified_time": finding.time_ms,
        "analytic": {"name": finding.kind, "uid": finding.kind, "type_id": kind.analytic_type},
        "attacks": [_attack(technique) for technique in kind.techniques],
        "data_sources": sorted({item.signal for item in finding.evidence}),
    }
    if finding.activity == "create":
        info["created_time"] = finding.time_ms
    if finding.config_hash:
        info["analytic"]["version"] = finding.config_hash
    return info


def _attack(technique: Technique) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "version": ATLAS_VERSION,
        "tactic": {"uid": technique.tactic_uid, "name": technique.tactic},
    }
    named = {"uid": technique.uid, "name": technique.name}
    if technique.parent is None:
        return entry | {"technique": named}
    parent = {"uid": technique.uid.rpartition(".")[0], "name": technique.parent}
    return entry | {"technique": parent, "sub_technique": named}


def _evidence(finding: Finding, item: Evidence) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": item.signal, "data": _listed(msgspec.structs.asdict(item))}
    who = user(finding)
    if who:
        entry["actor"] = {"user": who}
    where = source_endpoint(finding)
    if where:
        entry["src_endpoint"] = where
    return entry


def _anomaly(finding: Finding, item: Evidence) -> dict[str, Any]:
    """Baseline against observed: the explanation in OCSF's own words."""
    what = {"observation_parameter": item.signal, "observation_type": item.unit}
    standing = f"percentile {item.percentile:.4g} of the population over {item.horizon}, p = {item.p_value:.2g}"
    return {
        "analysis_targets": [{"name": finding.subject, "type": finding.subject_kind}],
        "anomalies": [what | {"observations": [{"value": f"{item.observed:.6g}"}], "observed_pattern": item.statement}],
        "baselines": [what | {"observations": [{"value": f"{item.baseline:.6g}"}], "observed_pattern": standing}],
    }


def _sound(item: Evidence) -> Evidence:
    """The evidence within the contract's limits: a stray infinity or an endless sentence must not lose an alert."""
    return msgspec.structs.replace(
        item,
        statement=item.statement[:MAX_PARAGRAPH_CHARS],
        observed=_finite(item.observed, -_GREATEST, _GREATEST),
        baseline=_finite(item.baseline, -_GREATEST, _GREATEST),
        weight=_finite(item.weight, -_GREATEST, _GREATEST),
        percentile=_finite(item.percentile, 0.0, 100.0),
        p_value=_finite(item.p_value, 0.0, 1.0),
    )


def _finite(value: float, low: float, high: float) -> float:
    return 0.0 if math.isnan(value) else min(max(value, low), high)
