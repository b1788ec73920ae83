"""What an alert is about, in the shapes a SIEM can search and pivot on: users, networks, observables."""

from __future__ import annotations

from typing import Any, Final

from stillwatch_schemas.findings import Finding

MAX_OBSERVABLES: Final = 100
"""Observables per alert; the rest of a campaign's members stand in the typed finding only."""
OTHER: Final = 99

# Subject kind -> (OCSF observable type, its caption). 99 needs a caption of our own.
_SUBJECTS: Final[dict[str, tuple[int, str]]] = {
    "account": (31, "User Object: uid"),
    "net": (12, "Subnet"),
    "asn": (OTHER, "Autonomous System"),
    "template": (OTHER, "Prompt Template"),
    "payment": (OTHER, "Payment Instrument"),
    "client": (OTHER, "Client Fingerprint"),
    "topic": (OTHER, "Topic Cell"),
    "campaign": (OTHER, "Campaign"),
}
_CREDENTIAL: Final = (19, "User Credential ID")


def user(finding: Finding) -> dict[str, Any] | None:
    """OCSF `user`: the account with its organisation and key, when the finding is about one account."""
    if finding.subject_kind != "account":
        return None
    fields: dict[str, Any] = {"uid": finding.subject}
    if finding.api_key_id:
        fields["credential_uid"] = finding.api_key_id
    if finding.org_id:
        fields["org"] = {"uid": finding.org_id}
    return fields


def source_endpoint(finding: Finding) -> dict[str, Any] | None:
    """OCSF `network_endpoint`: the autonomous system that the traffic comes from, when it is known."""
    if finding.asn is None:
        return None
    return {"name": f"AS{finding.asn}", "autonomous_system": {"number": finding.asn}}


def observables(finding: Finding) -> list[dict[str, Any]]:
    """The subject, its credential and network, and as many of its members as an alert holds."""
    about_account = finding.subject_kind == "account"
    subject_path = "evidences[].actor.user.uid" if about_account else "unmapped.stillwatch.subject"
    found = [_observable(subject_path, _SUBJECTS[finding.subject_kind], finding.subject)]
    if about_account and finding.api_key_id:
        found.append(_observable("evidences[].actor.user.credential_uid", _CREDENTIAL, finding.api_key_id))
    if finding.asn is not None:
        path = "evidences[].src_endpoint.autonomous_system.number"
        found.append(_observable(path, _SUBJECTS["asn"], str(finding.asn)))
    members = finding.members[: MAX_OBSERVABLES - len(found)]
    return found + [_observable("unmapped.stillwatch.members", _SUBJECTS["account"], member) for member in members]


def _observable(path: str, kind: tuple[int, str], value: str) -> dict[str, Any]:
    return {"name": path, "type_id": kind[0], "type": kind[1], "value": value}
