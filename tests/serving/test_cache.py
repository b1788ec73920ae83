"""The directive cache: what is taken over, what is refused, and that disorder does not matter."""

from __future__ import annotations

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stillwatch_schemas import signing
from stillwatch_schemas.canonical import canonical_json
from stillwatch_schemas.codec import decode_directive
from stillwatch_schemas.directives import Directive
from stillwatch_schemas.errors import SignatureError
from stillwatch_serving.cache import Applied, DirectiveCache
from support.builders import T0, make_directive


def trust_good(value: bytes) -> None:
    if decode_directive(value).signature != "good":
        raise SignatureError("not signed by the trusted key")


def make_cache(**overrides: int) -> DirectiveCache:
    return DirectiveCache(trust_good, **overrides)


def put(cache: DirectiveCache, directive: Directive, now_ms: int = T0) -> Applied:
    return cache.apply(directive.key.encode(), msgspec.json.encode(directive), now_ms)


def good(**overrides: object) -> Directive:
    return make_directive(**({"signature": "good"} | overrides))


def test_a_signed_directive_is_found_by_scope_and_subject() -> None:
    cache = make_cache()
    assert put(cache, good()).outcome == "applied"
    assert cache.get("account", "acct-1", T0) == good()
    assert cache.get("org", "acct-1", T0) is None


def test_only_a_higher_revision_is_taken_over() -> None:
    cache = make_cache()
    put(cache, good(revision=5, directive_id="five"))
    assert put(cache, good(revision=5, directive_id="again")).outcome == "stale"
    assert put(cache, good(revision=4, directive_id="four")).outcome == "stale"
    assert put(cache, good(revision=6, directive_id="six")).outcome == "applied"
    held = cache.get("account", "acct-1", T0)
    assert held is not None
    assert held.directive_id == "six"


def test_time_bounds_are_checked_at_every_lookup_without_any_record_coming_in() -> None:
    cache = make_cache()
    put(cache, good(not_before=T0 + 10, expires_at=T0 + 20))
    in_force = [at for at in (0, 9, 10, 19, 20, 21) if cache.get("account", "acct-1", T0 + at)]
    assert in_force == [10, 19]


def test_a_null_value_releases() -> None:
    cache = make_cache()
    put(cache, good())
    assert cache.apply(b"account:acct-1", None, T0).outcome == "released"
    assert cache.get("account", "acct-1", T0) is None
    assert cache.apply(b"account:acct-1", None, T0).outcome == "nothing_to_release"


def test_a_late_duplicate_does_not_bring_a_released_directive_back() -> None:
    cache = make_cache()
    put(cache, good())
    cache.apply(b"account:acct-1", None, T0)
    cache.prune(T0)
    assert put(cache, good()).outcome == "stale"
    assert list(cache.live(T0)) == []


def test_an_expired_successor_still_ends_what_it_succeeds() -> None:
    """A node that was away must not fall back to a longer-lived, already replaced revision."""
    cache = make_cache()
    put(cache, good(revision=1, expires_at=T0 + 1_000))
    assert put(cache, good(revision=2, expires_at=T0 + 10), T0 + 20).outcome == "expired"
    assert cache.get("account", "acct-1", T0 + 20) is None


def test_a_reload_changes_nothing_until_it_is_complete() -> None:
    cache = make_cache()
    put(cache, good())
    put(cache, good(subject="acct-2"))
    cache.begin_reload()
    put(cache, good(revision=2))
    assert cache.get("account", "acct-1", T0) == good()
    changes = cache.end_reload(T0)
    assert [(change.outcome, change.key) for change in changes] == [
        ("applied", "account:acct-1"),
        ("released", "account:acct-2"),
    ]
    assert list(cache.live(T0)) == [good(revision=2)]


def test_a_reload_that_was_cut_off_starts_over() -> None:
    cache = make_cache()
    cache.begin_reload()
    put(cache, good(subject="half-read"))
    cache.begin_reload()
    put(cache, good())
    cache.end_reload(T0)
    assert list(cache.live(T0)) == [good()]


def test_a_directive_issued_after_the_release_counts_even_if_revisions_start_anew() -> None:
    cache = make_cache()
    put(cache, good(revision=7))
    cache.apply(b"account:acct-1", None, T0)
    assert put(cache, good(revision=1)).outcome == "stale"
    assert put(cache, good(revision=1, issued_at=T0 + 1)).outcome == "applied"


def test_what_expired_neither_blocks_nor_returns() -> None:
    cache = make_cache()
    put(cache, good(revision=9, expires_at=T0 + 100))
    assert cache.prune(T0 + 100) == [good(revision=9, expires_at=T0 + 100)]
    assert put(cache, good(revision=9, expires_at=T0 + 100), T0 + 100).outcome == "expired"
    assert put(cache, good(revision=1, issued_at=T0 + 50), T0 + 100).outcome == "applied"


@pytest.mark.parametrize(
    ("directive", "outcome"),
    [
        (good(signature="forged"), "bad_signature"),
        (good(signature=None), "bad_signature"),
        (good(expires_at=T0), "expired"),
        (good(expires_at=T0 + 8 * 86_400_000), "ttl_too_long"),
    ],
)
def test_refused_directives_are_not_held(directive: Directive, outcome: str) -> None:
    cache = make_cache()
    assert put(cache, directive).outcome == outcome
    assert len(cache) == 0
    assert cache.counts == {outcome: 1}


def test_a_directive_replayed_under_another_key_is_refused() -> None:
    """A genuine signature must not be usable against another subject."""
    cache = make_cache()
    applied = cache.apply(b"account:somebody-else", msgspec.json.encode(good()), T0)
    assert applied.outcome == "key_mismatch"
    assert len(cache) == 0


def test_room_is_bounded_but_the_directives_held_can_still_change() -> None:
    cache = make_cache(max_entries=1)
    put(cache, good())
    assert put(cache, good(subject="acct-2")).outcome == "full"
    assert put(cache, good(revision=2)).outcome == "applied"


def test_a_forged_higher_revision_does_not_displace_the_genuine_one() -> None:
    cache = make_cache()
    put(cache, good())
    put(cache, good(revision=99, signature="forged", action="observe"))
    assert cache.get("account", "acct-1", T0) == good()


@given(st.data())
def test_any_order_and_any_duplication_of_revisions_converges(data: st.DataObject) -> None:
    """Redelivery, reordering and re-reading leave the highest revision of every key in force."""
    directives = [good(subject=subject, revision=revision) for subject in ("a", "b") for revision in range(1, 5)]
    seen = data.draw(st.lists(st.sampled_from(directives), min_size=1, max_size=30))
    cache = make_cache()
    for directive in seen:
        put(cache, directive)
        if data.draw(st.booleans()):
            cache.prune(T0)
    expected = {d.subject: max(e.revision for e in seen if e.subject == d.subject) for d in seen}
    assert {d.subject: d.revision for d in cache.live(T0)} == expected


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 6)), max_size=20), st.integers(0, 20))
def test_starting_over_anywhere_ends_where_reading_straight_through_ends(
    log: list[tuple[bool, int]], crash_after: int
) -> None:
    """A reader that loses its place and starts from the beginning again ends in the same state."""
    records = [None if gone else good(revision=number, issued_at=T0 + at) for at, (gone, number) in enumerate(log)]
    straight, broken = make_cache(), make_cache()
    for cache, reading in ((straight, records), (broken, records[:crash_after]), (broken, records)):
        cache.begin_reload()
        for directive in reading:
            cache.apply(b"account:acct-1", None if directive is None else msgspec.json.encode(directive), T0 + 60)
        cache.end_reload(T0 + 60)
    assert list(broken.live(T0 + 60)) == list(straight.live(T0 + 60))


@given(st.one_of(st.none(), st.binary(max_size=80)), st.binary(max_size=200))
def test_foreign_bytes_are_counted_and_never_raise(key: bytes | None, value: bytes) -> None:
    cache = make_cache()
    assert cache.apply(key, value, T0).outcome == "malformed"
    assert len(cache) == 0


def test_a_directive_with_a_field_from_the_future_is_obeyed_when_it_was_signed() -> None:
    """A serving node may be older than the policy: the signature covers the bytes, not the fields the node knows."""
    private = signing.generate_key()
    said = msgspec.json.decode(msgspec.json.encode(good(signature=None))) | {"colour": "blue"}
    covered = {name: value for name, value in said.items() if value is not None and value != {}}
    signature = private.sign(signing.DOMAIN + canonical_json(covered))
    value = msgspec.json.encode(said | {"signature": base64.urlsafe_b64encode(signature).rstrip(b"=").decode()})

    def outcome(received: bytes) -> str:
        cache = DirectiveCache(lambda raw: signing.verify_value(raw, private.public_key()))
        return cache.apply(good().key.encode(), received, T0).outcome

    assert outcome(value) == "applied"
    assert outcome(value.replace(b"blue", b"grey")) == "bad_signature"
