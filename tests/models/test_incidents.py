"""Incidents: ids that depend on nothing else, tiers, and scores that people can read."""

from __future__ import annotations

import msgspec
import pytest
from stillwatch_models.incidents import (
    DISTILLATION,
    TIERS,
    Header,
    confidence_score,
    derived_uid,
    finding,
    risk_score,
    tier_position,
)
from support.builders import T0, make_evidence

HEADER = Header(
    subject_kind="account",
    subject="acct-1",
    kind=DISTILLATION,
    first_pane=T0 // 10_000,
    activity="create",
    pane=T0 // 10_000 + 3,
    pane_ms=10_000,
    config_hash="abc",
)


def changed(**fields: object) -> Header:
    return msgspec.structs.replace(HEADER, **fields)


@pytest.mark.parametrize("field", [{"subject": "b"}, {"kind": "x"}, {"first_pane": 1}, {"config_hash": "d"}])
def test_another_incident_has_another_id(field: dict[str, object]) -> None:
    assert changed(**field).uid != HEADER.uid


def test_messages_of_one_incident_share_its_id_and_have_their_own() -> None:
    update = changed(activity="update", pane=HEADER.pane + 9)
    assert update.uid == HEADER.uid
    assert update.alert_uid != HEADER.alert_uid
    assert changed().alert_uid == HEADER.alert_uid  # delivered again, the same id


def test_parts_of_an_id_do_not_run_together() -> None:
    assert derived_uid("ab", "c") != derived_uid("a", "bc")
    assert len(derived_uid("a")) == 32


def test_tiers_begin_at_multiples_of_the_threshold() -> None:
    factors = [factor for _, factor in TIERS]
    assert [tier_position(factor) for factor in factors] == [1, 2, 3]
    assert [tier_position(factor - 0.01) for factor in factors] == [0, 1, 2]
    assert tier_position(1e9) == 3
    assert [name for name, _ in TIERS] == ["medium", "high", "critical"]


def test_scores_rise_and_stay_between_0_and_100() -> None:
    risks = [risk_score(x) for x in (-1.0, 0.0, 0.5, 1.0, 2.0, 5.0, 1e9)]
    assert risks == sorted(risks)
    assert (risks[0], risks[3], risks[-1]) == (0, 50, 100)
    sure = [confidence_score(x) for x in (-1e9, 0.0, 5.0, 7.0, 20.0, 1e9)]
    assert sure == sorted(sure)
    assert (sure[1], sure[-1]) == (0, 100)


def test_seven_nats_are_an_even_bet() -> None:
    """Ln 1000 = 6.9: the evidence just makes up for the prior odds of one to a thousand."""
    assert confidence_score(6.908) == 50


def test_a_finding_says_when_and_how_grave() -> None:
    found = finding(HEADER, tier=2, evidence_nats=18.0, threshold=12.0, evidence=[make_evidence()], exchanges=7)
    assert (found.tier, found.risk_score, found.exchanges) == ("high", risk_score(1.5), 7)
    assert found.first_seen_ms == T0
    assert found.time_ms == found.last_seen_ms == T0 + 40_000
    closing = finding(changed(activity="close"), tier=0, evidence_nats=0.0, threshold=12.0, evidence=[])
    assert (closing.tier, closing.risk_score) == ("medium", 0)
