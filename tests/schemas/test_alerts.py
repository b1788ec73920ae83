"""Alerts are valid OCSF 1.8.0, say what the finding says, and carry it back unharmed."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator
from typing import Any, get_args

import jsonschema_rs
import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from stillwatch_schemas.alerts import decode_alert, decode_finding, encode_alert
from stillwatch_schemas.errors import ContractError
from stillwatch_schemas.findings import Activity, Evidence, Finding, SubjectKind, Tier
from stillwatch_schemas.limits import MAX_VALUE_BYTES
from stillwatch_schemas.observables import MAX_OBSERVABLES
from stillwatch_schemas.ocsf import detection_finding
from stillwatch_schemas.techniques import KINDS
from support.builders import make_evidence, make_finding


@pytest.fixture(scope="module")
def ocsf() -> jsonschema_rs.Validator:
    """The published OCSF 1.8.0 Detection Finding with the profile that our alerts declare."""
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.8.0"))
    return jsonschema_rs.validator_for(schema.get_class_schema("detection_finding", ["security_control"]))


def faults(ocsf: jsonschema_rs.Validator, document: dict[str, Any]) -> list[str]:
    return [f"{list(error.instance_path)}: {error.message}" for error in ocsf.iter_errors(document)]


def sibling_faults(document: dict[str, Any], path: str = "$") -> Iterator[str]:
    """What the JSON Schema cannot say: an id of 99 (Other) needs its caption beside it."""
    for name, value in document.items():
        if name.endswith("_id") and value == 99 and not document.get(name.removesuffix("_id")):
            yield f"{path}.{name}"
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, dict):
                yield from sibling_faults(child, f"{path}.{name}")


@pytest.mark.parametrize(
    ("kind", "activity", "subject_kind", "tier"),
    [
        (kind, activity, subject_kind, tier)
        for (kind, activity, subject_kind), tier in zip(
            itertools.product([*KINDS, "kind_of_tomorrow"], get_args(Activity), get_args(SubjectKind)),
            itertools.cycle(get_args(Tier)),
            strict=False,
        )
    ],
)
def test_every_kind_of_alert_is_valid_ocsf(
    ocsf: jsonschema_rs.Validator, kind: str, activity: Any, subject_kind: Any, tier: Any
) -> None:
    finding = make_finding(
        kind=kind,
        activity=activity,
        subject_kind=subject_kind,
        tier=tier,
        members=("acct-1", "acct-2"),
        campaign_uid="camp-1",
        evidence=(make_evidence(), make_evidence(signal="coverage_growth")),
    )
    document = orjson.loads(encode_alert(finding))
    assert faults(ocsf, document) == []
    assert list(sibling_faults(document)) == []
    assert decode_finding(encode_alert(finding)) == finding


def test_a_bare_finding_is_valid_too(ocsf: jsonschema_rs.Validator) -> None:
    bare = make_finding(evidence=(), org_id=None, api_key_id=None, asn=None, config_hash="")
    document = orjson.loads(encode_alert(bare))
    assert faults(ocsf, document) == []
    assert "evidences" not in document
    assert decode_finding(encode_alert(bare)) == bare


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("finding_info", "uid"), None),
        (("severity_id",), 42),
        (("evidences", 0), {"name": "no artefact"}),
        (("observables", 0, "type_id"), "31"),
        (("not_in_ocsf",), 1),
        (("finding_info", "analytic", "type_id"), 77),
    ],
)
def test_the_validation_can_fail(ocsf: jsonschema_rs.Validator, path: tuple[Any, ...], value: Any) -> None:
    document = copy.deepcopy(detection_finding(make_finding()))
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert faults(ocsf, document)


def test_the_figures_stand_where_a_siem_looks() -> None:
    document = detection_finding(make_finding(activity="update", tier="critical", campaign_uid="camp-9"))
    assert (document["class_uid"], document["activity_id"], document["type_uid"]) == (2004, 2, 200402)
    assert (document["severity_id"], document["severity"]) == (5, "Critical")
    assert (document["risk_score"], document["confidence_score"], document["confidence_id"]) == (82, 91, 3)
    assert document["metadata"]["uid"] == "alert-0001"
    assert document["metadata"]["correlation_uid"] == "camp-9"
    assert document["finding_info"]["uid"] == "inc-0001"
    assert document["count"] == 4_120
    techniques = {attack["sub_technique"]["uid"] for attack in document["finding_info"]["attacks"]}
    assert "AML.T0024.002" in techniques
    assert document["evidences"][0]["actor"]["user"]["uid"] == "acct-1"
    analysis = document["anomaly_analyses"][0]
    assert analysis["anomalies"][0]["observations"] == [{"value": "0.12"}]
    assert analysis["baselines"][0]["observations"] == [{"value": "1.9"}]
    assert make_evidence().statement in document["message"]
    assert {"type_id": 31, "type": "User Object: uid", "name": "evidences[].actor.user.uid", "value": "acct-1"} in (
        document["observables"]
    )


@pytest.mark.parametrize(
    ("activity", "status", "is_alert"), [("create", 1, True), ("update", 2, True), ("close", 4, False)]
)
def test_a_closed_incident_is_resolved_and_alarms_nobody(activity: Any, status: int, is_alert: bool) -> None:
    document = detection_finding(make_finding(activity=activity))
    assert (document["status_id"], document["is_alert"]) == (status, is_alert)
    assert ("created_time" in document["finding_info"]) == (activity == "create")


def test_the_same_finding_gives_the_same_bytes() -> None:
    assert encode_alert(make_finding()) == encode_alert(make_finding())


def test_a_stray_infinity_loses_no_alert(ocsf: jsonschema_rs.Validator) -> None:
    odd = make_evidence(
        statement="x" * 9_000,
        observed=math.inf,
        baseline=math.nan,
        weight=-math.inf,
        p_value=1.0000001,
        percentile=-0.1,
    )
    value = encode_alert(make_finding(evidence=(odd,)))
    assert faults(ocsf, orjson.loads(value)) == []
    read = decode_finding(value).evidence[0]
    assert (read.observed, read.baseline, read.weight, read.p_value, read.percentile) == (1e300, 0, -1e300, 1, 0)


@pytest.mark.parametrize(("name", "count"), [("{:0256d}", 9_000), ("a{}", 60_000)])
def test_members_beyond_what_a_record_holds_are_cut_and_counted(
    ocsf: jsonschema_rs.Validator, name: str, count: int
) -> None:
    members = tuple(itertools.islice(map(name.format, itertools.count()), count))
    value = encode_alert(make_finding(subject_kind="campaign", members=members))
    document = orjson.loads(value)
    assert len(value) <= MAX_VALUE_BYTES
    assert faults(ocsf, document) == []
    assert document["metadata"]["is_truncated"]
    assert len(document["observables"]) == MAX_OBSERVABLES
    read = decode_finding(value)
    assert read.members == members[: len(read.members)]
    assert read.members_total == count


def test_the_largest_public_campaign_is_not_cut() -> None:
    finding = make_finding(subject_kind="campaign", members=tuple(f"acct_{i:08x}" for i in range(25_000)))
    assert decode_finding(encode_alert(finding)) == finding


@pytest.mark.parametrize("value", [None, b"", b"{}", b"[]", b'{"unmapped": {}}', b'{"unmapped": {"stillwatch": {}}}'])
def test_what_is_no_alert_of_ours_is_refused(value: bytes | None) -> None:
    with pytest.raises(ContractError):
        decode_finding(value)


@pytest.mark.parametrize(("value", "code"), [(None, "malformed_json"), (b"{", "malformed_json"), (b"[]", "wrong_type")])
def test_a_document_to_display_must_be_an_object(value: bytes | None, code: str) -> None:
    with pytest.raises(ContractError) as caught:
        decode_alert(value)
    assert caught.value.code == code


def test_a_document_to_display_is_the_whole_alert() -> None:
    assert decode_alert(encode_alert(make_finding())) == detection_finding(make_finding())


TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
UNIT = st.floats(0, 1)
EVIDENCE = st.builds(
    Evidence,
    signal=TEXT,
    statement=TEXT,
    observed=st.floats(-1e300, 1e300),
    baseline=st.floats(-1e300, 1e300),
    percentile=UNIT,
    unit=TEXT,
    horizon=TEXT,
    p_value=UNIT,
    weight=st.floats(-1e9, 1e9),
    event_ids=st.lists(TEXT, max_size=5).map(tuple),
)


@given(
    evidence=st.lists(EVIDENCE, max_size=3).map(tuple),
    subject=TEXT,
    members=st.lists(TEXT, max_size=3).map(tuple),
    risk=st.integers(0, 100),
)
def test_any_finding_survives_the_way_through_ocsf(
    ocsf: jsonschema_rs.Validator, evidence: Any, subject: str, members: Any, risk: int
) -> None:
    finding: Finding = msgspec.structs.replace(
        make_finding(), evidence=evidence, subject=subject, members=members, risk_score=risk
    )
    value = encode_alert(finding)
    assert decode_finding(value) == finding
    assert faults(ocsf, orjson.loads(value)) == []
