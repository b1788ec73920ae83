"""What is said about a group: why it is unusual, and what its members show themselves."""

from __future__ import annotations

import math

import msgspec
from stillwatch_schemas.findings import Activity, Evidence, Finding

from stillwatch_models.detectors.groups import GROUP_DETECTORS
from stillwatch_models.detectors.groups.base import Reading
from stillwatch_models.group_state import SUSPECT_NATS, GroupState
from stillwatch_models.incidents import Header, finding, tier_position

MEMBERS_EVIDENCE = "members_evidence"
"""Signal name of the second half of the joint test."""
_SAID = {
    "asn": "AS{}",
    "net": "network {}",
    "payment": "payment instrument {}",
    "client": "client {}",
    "template": "template {}",
    "topic": "topic cell {}",
}
_DETECTORS = {detector.name: detector for detector in GROUP_DETECTORS}


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A group's incident, as it stands."""

    group: str
    state: GroupState
    members: tuple[str, ...]
    content_nats: float
    suspects: int
    judged: int
    share: float
    """Of suspects among all accounts that are judged."""
    threshold: float
    pane: int
    pane_ms: int
    window_panes: int


def group_finding(case: Case, activity: Activity, config_hash: str, shard: int) -> Finding:
    """One message about a group's incident."""
    kind, _, name = case.group.partition(":")
    state = case.state
    header = Header(
        subject_kind=kind,  # type: ignore[arg-type] # the engine counts no other kinds
        subject=name,
        kind=state.incident_kind,
        first_pane=state.incident_pane,
        activity=activity,
        pane=case.pane,
        pane_ms=case.pane_ms,
        config_hash=config_hash,
    )
    first = state.anomaly.first_window if state.anomaly else state.window
    return finding(
        header,
        tier=max(1, tier_position(case.content_nats / case.threshold)),
        evidence_nats=case.content_nats,
        threshold=case.threshold,
        evidence=[*_anomaly(case), _content(case)],
        exchanges=state.exchanges,
        first_seen_ms=first * case.window_panes * case.pane_ms,
        members=case.members,
        members_total=max(len(case.members), round(state.size)),
        asn=int(name) if kind == "asn" else None,
        shard=shard,
    )


def group_name(group: str) -> str:
    """The group in words."""
    kind, _, name = group.partition(":")
    return _SAID[kind].format(name)


def _anomaly(case: Case) -> list[Evidence]:
    anomaly = case.state.anomaly
    if anomaly is None:
        return []
    detector = _DETECTORS[anomaly.signal]
    p_value = math.exp(-anomaly.nats)
    return [
        Evidence(
            signal=f"{case.group.partition(':')[0]}_{anomaly.signal}",
            statement=detector.statement(
                group_name(case.group), Reading(anomaly.nats, anomaly.observed, anomaly.baseline)
            ),
            observed=anomaly.observed,
            baseline=anomaly.baseline,
            percentile=100.0 * (1.0 - p_value),
            unit=detector.unit,
            horizon=detector.horizon,
            p_value=p_value,
            weight=anomaly.nats,
            event_ids=tuple(case.state.examples),
        )
    ]


def _content(case: Case) -> Evidence:
    p_value = math.exp(-case.content_nats)
    return Evidence(
        signal=MEMBERS_EVIDENCE,
        statement=(
            f"{case.suspects} of {case.judged} members with enough requests show evidence of harvesting of their own "
            f"(at least {SUSPECT_NATS:g} nats); {100 * case.share:.0f} % of all accounts do at most"
        ),
        observed=float(case.suspects),
        baseline=case.judged * case.share,
        percentile=100.0 * (1.0 - p_value),
        unit="accounts",
        horizon="members of a day",
        p_value=p_value,
        weight=case.content_nats,
    )
