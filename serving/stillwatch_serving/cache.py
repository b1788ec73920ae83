"""The directives a serving node holds, and which of them is in force now.

Pure: bytes and times come in as arguments, so it behaves the same in a test, behind Kafka, and when Kafka is down.

What decides whether a record is taken over, in this order:

| check                                             | outcome if it fails  |
|---------------------------------------------------|----------------------|
| the value decodes as a directive                  | `malformed`          |
| the record's key is the directive's own key       | `key_mismatch`       |
| its revision is higher than the one held (or than the one last released) | `stale` |
| it does not live longer than `max_ttl_ms`         | `ttl_too_long`       |
| the signature verifies                            | `bad_signature`      |
| it has not expired (an expired successor still ends what it succeeds) | `expired` |
| there is room                                     | `full`               |

A null value releases. A released revision is remembered until it would have expired, so that a late duplicate cannot
bring it back. Reading the topic from its beginning again happens beside the directives in force, which it replaces only
when it is complete: a reload that is cut off changes nothing. Nothing here ever raises on foreign bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Literal, cast

import msgspec
from stillwatch_schemas.codec import decode_directive
from stillwatch_schemas.directives import Directive, Scope
from stillwatch_schemas.errors import ContractError, SignatureError

ApplyOutcome = Literal[
    "applied",
    "released",
    "nothing_to_release",
    "stale",
    "expired",
    "ttl_too_long",
    "key_mismatch",
    "malformed",
    "bad_signature",
    "full",
]

REFUSALS: frozenset[ApplyOutcome] = frozenset({"ttl_too_long", "key_mismatch", "malformed", "bad_signature", "full"})
"""Outcomes that somebody should look at; `stale` and `expired` are everyday redelivery."""


class Applied(msgspec.Struct, frozen=True):
    """What became of one record."""

    outcome: ApplyOutcome
    key: str
    directive: Directive | None = None
    """The directive taken over, released or refused, where there is one."""
    detail: str = ""


class _Book:
    """Directives by scope and subject, and the released ones that must not return."""

    def __init__(self) -> None:
        self.live: dict[Scope, dict[str, Directive]] = {
            "api_key": {},
            "account": {},
            "org": {},
            "asn": {},
            "campaign": {},
        }
        self.released: dict[str, Directive] = {}

    def __len__(self) -> int:
        return sum(len(subjects) for subjects in self.live.values())

    def put(self, directive: Directive) -> None:
        self.live[directive.scope][directive.subject] = directive
        self.released.pop(directive.key, None)

    def release(self, key: str) -> Directive | None:
        scope, _, subject = key.partition(":")
        subjects = self.live.get(cast("Scope", scope))
        directive = None if subjects is None else subjects.pop(subject, None)
        if directive is not None:
            self.released[key] = directive
        return directive

    def is_news(self, directive: Directive, now_ms: int) -> bool:
        held = self.live[directive.scope].get(directive.subject)
        if held is not None and held.expires_at > now_ms:
            return directive.revision > held.revision
        # What has ended (released or expired) only guards against its own return: a policy that starts to count
        # revisions anew after a release must be heard.
        ended = held if held is not None else self.released.get(directive.key)
        return ended is None or directive.revision > ended.revision or directive.issued_at > ended.issued_at

    def all(self) -> dict[str, Directive]:
        return {d.key: d for subjects in self.live.values() for d in subjects.values()}

    def prune(self, now_ms: int) -> list[Directive]:
        expired = [directive for directive in self.all().values() if directive.expires_at <= now_ms]
        for directive in expired:
            del self.live[directive.scope][directive.subject]
        for key in [key for key, directive in self.released.items() if directive.expires_at <= now_ms]:
            del self.released[key]
        return expired


class DirectiveCache:
    """Live directives by scope and subject. Lookups are one dictionary access per scope and take no lock."""

    def __init__(
        self,
        verify: Callable[[bytes], object] | None,
        *,
        max_ttl_ms: int = 7 * 86_400_000,
        max_entries: int = 1_000_000,
    ) -> None:
        """`verify` raises SignatureError on a record value that the trusted key did not sign.

        It is given the bytes as received, because a newer policy may have signed fields that this node does not know.
        Without one (`None`) nothing can be trusted, so everything is held in shadow: counted, never obeyed.
        """
        self._verify = verify
        self._max_ttl_ms = max_ttl_ms
        self._max_entries = max_entries
        self._book = _Book()
        self._reload: _Book | None = None
        self.counts: Counter[ApplyOutcome] = Counter()
        """Records seen, by outcome."""

    @property
    def trusted(self) -> bool:
        """Whether signatures are checked; without that no directive is enforced."""
        return self._verify is not None

    @property
    def reloading(self) -> bool:
        """Whether records go beside the directives in force instead of among them."""
        return self._reload is not None

    def __len__(self) -> int:
        return len(self._book)

    def apply(self, key: bytes | None, value: bytes | None, now_ms: int) -> Applied:
        """Take one record of the enforcement topic; never raises on its content."""
        text = (key or b"").decode(errors="replace")
        book = self._book if self._reload is None else self._reload
        result = _release(book, text) if value is None else self._take(book, text, value, now_ms)
        self.counts[result.outcome] += 1
        return result

    def get(self, scope: Scope, subject: str, now_ms: int) -> Directive | None:
        """The directive in force on this subject now, whatever its mode; None without one."""
        directive = self._book.live[scope].get(subject)
        if directive is None or not directive.not_before <= now_ms < directive.expires_at:
            return None
        return directive

    def live(self, now_ms: int) -> Iterator[Directive]:
        """Every directive in force now."""
        for directive in self._book.all().values():
            if directive.not_before <= now_ms < directive.expires_at:
                yield directive

    def prune(self, now_ms: int) -> list[Directive]:
        """Forget what has expired, and releases that no longer need remembering; returns the expired directives."""
        return self._book.prune(now_ms)

    def begin_reload(self) -> None:
        """The topic is being read from its beginning: keep to what is in force until `end_reload`."""
        self._reload = _Book()

    def end_reload(self, now_ms: int) -> list[Applied]:
        """The end of the topic is reached: what was read is now in force. Returns what that changed."""
        if self._reload is None:
            return []
        before, after = self._book.all(), self._reload.all()
        self._book, self._reload = self._reload, None
        came = [Applied("applied", key, d) for key, d in after.items() if before.get(key) != d]
        went = [Applied("released", key, d) for key, d in before.items() if key not in after and d.expires_at > now_ms]
        return came + went

    def _take(self, book: _Book, key: str, value: bytes, now_ms: int) -> Applied:
        try:
            directive = decode_directive(value)
        except ContractError as error:
            return Applied("malformed", key, detail=str(error))
        if directive.key != key:
            return Applied("key_mismatch", key, directive, f"the directive inside is for {directive.key!r}")
        if not book.is_news(directive, now_ms):
            return Applied("stale", key, directive)
        return self._distrust(directive, value) or self._put(book, directive, now_ms)

    def _distrust(self, directive: Directive, value: bytes) -> Applied | None:
        key = directive.key
        ttl_ms = directive.expires_at - directive.issued_at
        if ttl_ms > self._max_ttl_ms:
            return Applied("ttl_too_long", key, directive, f"lives {ttl_ms} ms, at most {self._max_ttl_ms} are obeyed")
        try:
            if self._verify is not None:
                self._verify(value)
        except SignatureError as error:
            return Applied("bad_signature", key, directive, str(error))
        return None

    def _put(self, book: _Book, directive: Directive, now_ms: int) -> Applied:
        key = directive.key
        if directive.expires_at <= now_ms:
            book.live[directive.scope].pop(directive.subject, None)
            return Applied("expired", key, directive)
        if len(book) >= self._max_entries and directive.subject not in book.live[directive.scope]:
            return Applied("full", key, directive, f"{self._max_entries} directives are held already")
        book.put(directive)
        return Applied("applied", key, directive)


def _release(book: _Book, key: str) -> Applied:
    directive = book.release(key)
    return Applied("nothing_to_release" if directive is None else "released", key, directive)
