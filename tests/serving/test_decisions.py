"""Decisions: how the directives of several scopes meet in one request."""

from __future__ import annotations

import msgspec
import pytest
from stillwatch_schemas.directives import Directive, Params
from stillwatch_schemas.errors import SignatureError
from stillwatch_serving.cache import DirectiveCache
from stillwatch_serving.decisions import ACTIONS, ALLOW, MERGE, Decider, Identity, Instructions
from support.builders import T0, make_directive

WHO = Identity(account_id="acct-1", api_key_id="key-1", org_id="org-1", asn=64500, campaign_ids=("camp-1",))


def accept(_value: bytes) -> None:
    """These tests are about merging; signatures are the cache's tests."""


def enforce(**overrides: object) -> Directive:
    directive = make_directive(**({"mode": "enforce", "params": Params()} | overrides))
    return msgspec.structs.replace(directive, directive_id=f"{directive.action}-{directive.scope}")


def cache_of(*directives: Directive) -> DirectiveCache:
    cache = DirectiveCache(accept)
    for directive in directives:
        assert cache.apply(directive.key.encode(), msgspec.json.encode(directive), T0).outcome == "applied"
    return cache


def test_nobody_is_touched_without_a_directive() -> None:
    decider = Decider(cache_of(enforce(subject="somebody-else", action="suspend")))
    assert decider.decide(WHO, T0) is ALLOW
    assert decider.verdicts == {"allow": 1}


@pytest.mark.parametrize(
    ("scope", "subject"),
    [("api_key", "key-1"), ("account", "acct-1"), ("org", "org-1"), ("asn", "64500"), ("campaign", "camp-1")],
)
def test_every_scope_is_looked_up(scope: str, subject: str) -> None:
    decision = Decider(cache_of(enforce(scope=scope, subject=subject, action="suspend"))).decide(WHO, T0)
    assert (decision.verdict, decision.status) == ("suspend", 403)
    assert decision.overt_ids == (f"suspend-{scope}",)


def test_the_strictest_action_wins_and_all_directives_are_named() -> None:
    decision = Decider(
        cache_of(
            enforce(scope="org", subject="org-1", action="suspend", params=Params(http_status=451, reason_code="tos")),
            enforce(action="challenge"),
            enforce(scope="asn", subject="64500", action="throttle", params=Params(rpm=1)),
        )
    ).decide(WHO, T0)
    assert (decision.verdict, decision.status, decision.code) == ("suspend", 451, "tos")
    assert decision.directive_ids == ("challenge-account", "suspend-org", "throttle-asn")


def test_a_suspension_without_a_client_error_status_gets_one() -> None:
    decision = Decider(cache_of(enforce(action="suspend", params=Params(http_status=200)))).decide(WHO, T0)
    assert decision.status == 403


def test_a_throttled_request_meets_429_with_the_longest_wait() -> None:
    decider = Decider(
        cache_of(
            enforce(action="throttle", params=Params(rpm=6, retry_after_s=20)),
            enforce(scope="asn", subject="64500", action="throttle", params=Params(rpm=6, retry_after_s=45)),
        )
    )
    assert decider.decide(WHO, T0).verdict == "allow"
    refused = decider.decide(WHO, T0)
    assert (refused.verdict, refused.status, refused.retry_after_s) == ("throttle", 429, 45)


def test_a_refused_request_costs_no_other_bucket_anything() -> None:
    """The account's bucket is empty; its organisation's other accounts must not pay for its retries."""
    decider = Decider(
        cache_of(
            enforce(action="throttle", params=Params(rpm=6)),
            enforce(scope="org", subject="org-1", action="throttle", params=Params(rpm=12)),
        )
    )
    for _ in range(20):
        decider.decide(WHO, T0)
    colleague = Identity(account_id="acct-2", org_id="org-1")
    assert decider.decide(colleague, T0).verdict == "allow"


def test_concurrency_is_given_back_when_the_request_is_settled() -> None:
    decider = Decider(cache_of(enforce(action="throttle", params=Params(concurrency=1))))
    first = decider.decide(WHO, T0)
    assert decider.decide(WHO, T0).verdict == "throttle"
    decider.settle(first, tokens=10)
    assert decider.decide(WHO, T0).verdict == "allow"


def test_instructions_add_up_with_the_narrowest_scope_naming_what_can_be_named_once() -> None:
    decision = Decider(
        cache_of(
            enforce(action="watermark", params=Params(key_id="wm-7", algorithm="gumbel", strength=0.3)),
            enforce(scope="org", subject="org-1", action="watermark", params=Params(key_id="wm-1", strength=0.8)),
            enforce(scope="asn", subject="64500", action="canary", params=Params(set_id="set-2", rate=0.05)),
            enforce(
                scope="campaign",
                subject="camp-1",
                action="noise",
                params=Params(logprobs=False, top_logprobs_max=0, temperature_jitter=0.1),
            ),
        )
    ).decide(WHO, T0)
    assert decision.verdict == "allow"
    assert decision.instructions == Instructions(
        key_id="wm-7",
        algorithm="gumbel",
        strength=0.8,
        set_id="set-2",
        rate=0.05,
        logprobs=False,
        top_logprobs_max=0,
        temperature_jitter=0.1,
    )
    assert decision.overt_ids == (), "a client must not learn that it is watermarked"


def test_shadow_directives_only_count() -> None:
    decider = Decider(cache_of(enforce(action="suspend", mode="shadow")))
    decision = decider.decide(WHO, T0)
    assert decision.verdict == "allow"
    assert decision.shadow_ids == ("suspend-account",)
    assert decider.hits == {("suspend", "shadow"): 1}


def test_the_kill_switch_turns_everything_into_shadow_and_back() -> None:
    engaged = True
    decider = Decider(cache_of(enforce(action="suspend")), killed=lambda _now_ms: engaged)
    assert decider.decide(WHO, T0).verdict == "allow"
    engaged = False
    assert decider.decide(WHO, T0).verdict == "suspend"


def test_a_node_without_a_public_key_obeys_nobody() -> None:
    cache = DirectiveCache(None)
    directive = enforce(action="suspend")
    cache.apply(directive.key.encode(), msgspec.json.encode(directive), T0)
    decision = Decider(cache).decide(WHO, T0)
    assert (decision.verdict, decision.shadow_ids) == ("allow", ("suspend-account",))


def test_the_first_use_of_a_directive_is_reported_once() -> None:
    used: list[tuple[str, int]] = []
    decider = Decider(
        cache_of(enforce(action="suspend")), on_first_use=lambda directive, at: used.append((directive.action, at))
    )
    for at in (T0, T0 + 1):
        decider.decide(WHO, at)
    assert used == [("suspend", T0)]


def test_an_ended_throttle_is_forgotten_only_when_nothing_is_in_flight() -> None:
    cache = cache_of(enforce(action="throttle", params=Params(concurrency=1)))
    decider = Decider(cache)
    running = decider.decide(WHO, T0)
    cache.apply(b"account:acct-1", None, T0)
    decider.prune(T0)
    assert len(decider._throttles) == 1
    decider.settle(running, tokens=1)
    decider.prune(T0)
    assert len(decider._throttles) == 0


def test_the_tables_cover_every_action_and_every_instruction() -> None:
    """A new action or parameter has to be placed in the tables before anything can be decided with it."""
    assert set(ACTIONS) == set(msgspec.inspect.type_info(Directive).fields[4].type.values)  # type: ignore[attr-defined]  # `action` is a literal
    assert set(MERGE) == {field.name for field in msgspec.structs.fields(Instructions)}


def test_signature_errors_never_reach_the_decision() -> None:
    def refuse(_value: bytes) -> None:
        raise SignatureError("no")

    cache = DirectiveCache(refuse)
    directive = enforce(action="suspend")
    cache.apply(directive.key.encode(), msgspec.json.encode(directive), T0)
    assert Decider(cache).decide(WHO, T0) is ALLOW
