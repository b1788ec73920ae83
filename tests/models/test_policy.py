"""The policy: the table, the blast radius, an end to everything, never weaker, and the same after a restart."""

from __future__ import annotations

import random
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stillwatch_models.config import EngineConfig, PolicyConfig
from stillwatch_models.policy import (
    HARD_THROTTLE,
    OBSERVE,
    STRENGTH,
    SUSPEND,
    THROTTLE,
    TRANSITIONS,
    PolicyEngine,
    scope_of,
    strength,
)
from stillwatch_models.shard import Batch
from stillwatch_schemas.directives import Action, Directive, Release
from stillwatch_schemas.findings import Finding
from support.builders import T0, make_finding
from support.promises import NO_SHRINKING, SEEDS, CheckpointLog

TTL_MS = 4 * 3_600_000
Answer = Directive | Release


def engine(**policy: Any) -> PolicyEngine:
    fields: dict[str, Any] = {"max_account_share": 1.0}
    return PolicyEngine(EngineConfig(policy=PolicyConfig(**(fields | policy))), 0)


def told(policy: PolicyEngine, *findings: Finding, start: int = 0) -> list[Answer]:
    """What the policy answers."""
    offsets = list(range(start, start + len(findings)))
    batch = Batch(items=list(findings), offsets=offsets, next_offset=start + len(findings))
    return policy.process(batch).directives


def directive(policy: PolicyEngine, **finding: Any) -> Directive:
    """The one directive that answers the one finding."""
    (answer,) = told(policy, make_finding(**({"time_ms": T0} | finding)))
    assert isinstance(answer, Directive)
    return answer


@pytest.mark.parametrize(("kind", "tier"), TRANSITIONS)
def test_the_table_decides(kind: str, tier: Any) -> None:
    answer = directive(engine(suspend_needs_human=False), kind=kind, tier=tier)
    assert (answer.action, answer.params) == TRANSITIONS[kind, tier]


def test_what_is_not_in_the_table_is_observed() -> None:
    assert directive(engine(), kind="something_new", tier="critical").action == "observe"
    assert directive(engine(), kind="distillation", tier="low").action == "observe"


def test_every_action_has_a_strength() -> None:
    assert set(STRENGTH) == set(get_args(Action))
    assert strength(OBSERVE) < strength(THROTTLE) < strength(HARD_THROTTLE) < strength(SUSPEND)


def test_a_confirmed_incident_may_suspend_for_a_human_has_spoken() -> None:
    answer = directive(engine(), tier="critical", ruling="confirmed")
    assert (answer.action, answer.params) == SUSPEND
    assert "confirmed by an analyst" in answer.reason


def test_a_rejected_incident_releases_its_directive() -> None:
    policy = engine()
    order = directive(policy)
    (answer,) = told(policy, make_finding(activity="close", ruling="rejected", time_ms=T0 + 1), start=1)
    assert isinstance(answer, Release)
    assert answer.key == order.key


def test_an_analysts_release_ends_what_any_incident_asked_for() -> None:
    policy = engine()
    order = directive(policy, uid="inc-other")
    released = make_finding(activity="update", tier="low", ruling="released", time_ms=T0 + 1)
    (answer,) = told(policy, released, start=1)
    assert isinstance(answer, Release)
    assert (answer.key, answer.reason) == (order.key, "incident inc-0001 released by an analyst")


def test_a_repeated_release_does_not_end_what_was_ordered_since() -> None:
    policy = engine()
    directive(policy)
    released = make_finding(activity="update", tier="low", ruling="released", time_ms=T0 + 1)
    told(policy, released, start=1)
    again = directive(policy, time_ms=T0 + 2, uid="inc-0002")
    assert told(policy, released, start=3) == []
    assert again.revision > 0


def test_a_release_of_nothing_says_nothing() -> None:
    assert told(engine(), make_finding(ruling="released")) == []


def test_nothing_is_enforced_unless_configured() -> None:
    assert directive(PolicyEngine(EngineConfig(), 0)).mode == "shadow"
    assert directive(engine(mode="enforce")).mode == "enforce"


def test_suspension_needs_a_human() -> None:
    answer = directive(engine(), tier="critical")
    assert (answer.action, answer.params) == HARD_THROTTLE
    assert "awaits a human" in answer.reason


def test_a_directive_names_its_subject_cause_and_end() -> None:
    answer = directive(engine(), tier="high")
    assert answer.key == "account:acct-1"
    assert (answer.issued_at, answer.not_before, answer.expires_at) == (T0, T0, T0 + TTL_MS)
    assert answer.finding_uid == "inc-0001"
    assert "distillation, tier high" in answer.reason


def test_beyond_the_blast_radius_directives_only_observe() -> None:
    policy = engine(max_account_share=0.02)
    answers = [directive(policy, subject=f"a{i}", tier="high", shard_accounts=150) for i in range(5)]
    assert [answer.action for answer in answers] == ["throttle", "throttle", "throttle", "observe", "observe"]
    assert "blast-radius cap of 2.0%" in answers[3].reason
    assert policy.withheld == 2
    # a directive that has run out makes room, tombstone or not
    later = directive(policy, subject="a9", tier="high", shard_accounts=150, time_ms=T0 + TTL_MS + 1)
    assert later.action == "throttle"


def test_a_shard_of_few_accounts_may_act_on_one() -> None:
    policy = engine(max_account_share=0.02)
    assert directive(policy, subject="a", shard_accounts=3).action == "throttle"
    assert directive(policy, subject="b", shard_accounts=3).action == "observe"


def test_a_directive_is_never_weakened() -> None:
    policy = engine()
    directive(policy, tier="critical")
    for minutes in (1, 130, 239):
        for tier in ("medium", "high"):
            assert told(policy, make_finding(tier=tier, time_ms=T0 + minutes * 60_000)) == []


def test_a_stronger_answer_replaces_a_weaker_one_at_once() -> None:
    policy = engine(suspend_needs_human=False)
    first = directive(policy, tier="medium")
    second = directive(policy, tier="high", time_ms=T0 + 1)
    third = directive(policy, tier="critical", time_ms=T0 + 2)
    assert [first.action, second.action, third.action] == ["canary", "throttle", "suspend"]
    assert (second.supersedes, third.supersedes) == (first.directive_id, second.directive_id)


def test_a_harder_throttle_is_stronger() -> None:
    policy = engine()
    directive(policy, tier="high")
    assert directive(policy, tier="critical", time_ms=T0 + 60_000).params == HARD_THROTTLE[1]


def test_the_same_answer_renews_only_in_the_second_half_of_a_life() -> None:
    policy = engine()
    first = directive(policy)
    assert told(policy, make_finding(activity="update", time_ms=T0 + TTL_MS // 2 - 1)) == []
    renewed = directive(policy, activity="update", time_ms=T0 + TTL_MS // 2)
    assert renewed.expires_at == first.expires_at + TTL_MS // 2
    assert renewed.supersedes == first.directive_id


def test_what_has_run_out_gets_a_tombstone_once() -> None:
    policy = engine()
    directive(policy)
    assert policy.expire(T0 + TTL_MS - 1).directives == []
    (gone,) = policy.expire(T0 + TTL_MS).directives
    assert gone == Release(key="account:acct-1", reason="expired", at=T0 + TTL_MS)
    assert policy.expire(T0 + TTL_MS + 1).directives == []


def test_the_end_of_an_incident_releases() -> None:
    policy = engine()
    directive(policy)
    (gone,) = told(policy, make_finding(activity="close", time_ms=T0 + 5))
    assert isinstance(gone, Release)
    assert gone.key == "account:acct-1"
    assert told(policy, make_finding(activity="close", time_ms=T0 + 6)) == []


def test_the_end_of_one_incident_keeps_what_another_asked_for() -> None:
    policy = engine()
    directive(policy)
    assert told(policy, make_finding(uid="another", activity="close", time_ms=T0 + 5)) == []


def test_subjects_that_no_gateway_can_act_on_get_no_directive() -> None:
    finding = make_finding(subject_kind="template", subject="17")
    assert scope_of(finding) is None
    assert told(engine(), finding) == []


def story(seed: int) -> list[Finding]:
    """Findings about a few subjects, times mostly rising, as one alerts partition brings them."""
    rng = random.Random(seed)
    now, findings = T0, []
    for number in range(80):
        now += rng.choice([0, 1, 60_000, 3_600_000])
        findings.append(
            make_finding(
                uid=f"inc-{number}",
                subject=f"a{rng.randrange(5)}",
                kind=rng.choice(["distillation", "distillation", "hard_ceiling"]),
                tier=rng.choice(["medium", "high", "critical"]),
                activity=rng.choice(["create", "update", "update", "update", "close"]),
                time_ms=now - rng.choice([0, 0, 0, 30_000]),
                shard_accounts=rng.choice([20, 200]),
            )
        )
    return findings


@given(seed=SEEDS)
@settings(max_examples=25, deadline=None, phases=NO_SHRINKING)
def test_revisions_rise_and_strength_never_falls_while_a_directive_lives(seed: int) -> None:
    policy = engine(max_account_share=0.5)
    live: dict[str, Directive] = {}
    for number, finding in enumerate(story(seed)):
        for answer in told(policy, finding, start=number):
            before = live.pop(answer.key, None)
            if isinstance(answer, Release):
                continue
            assert answer.mode == "shadow"
            assert answer.expires_at - answer.issued_at == TTL_MS
            if before is not None:
                assert answer.revision > before.revision
            if before is not None and before.expires_at > answer.issued_at:
                assert strength((answer.action, answer.params)) >= strength((before.action, before.params))
            live[answer.key] = answer
    assert live


@given(seed=SEEDS, cut=st.integers(1, 79))
@settings(max_examples=15, deadline=None, phases=NO_SHRINKING)
def test_a_restored_policy_goes_on_as_if_nothing_had_happened(seed: int, cut: int) -> None:
    findings = story(seed)
    clean = engine(max_account_share=0.2)
    expected = told(clean, *findings)
    first, survivor = engine(max_account_share=0.2), engine(max_account_share=0.2)
    before = told(first, *findings[:cut])
    assert survivor.restore(first.snapshot()) == cut
    assert [*before, *told(survivor, *findings[cut:], start=cut)] == expected
    assert survivor.snapshot() == clean.snapshot()


def test_checkpoints_add_up_to_the_snapshot() -> None:
    policy = engine(max_account_share=0.2)
    log = CheckpointLog()
    for number, finding in enumerate(story(3)):
        told(policy, finding, start=number)
        if number % 7 == 6:
            policy.expire(finding.time_ms)
        log.add(policy.checkpoint())
    assert log.rows == policy.snapshot()
    assert policy.checkpoint() is None


def test_ids_depend_on_nothing_but_the_findings() -> None:
    one, two = told(engine(), *story(5)), told(engine(), *story(5))
    assert msgspec.json.encode(one) == msgspec.json.encode(two)
