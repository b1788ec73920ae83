"""What a request meets at this node: the directives of all its scopes, merged into one decision. Pure.

Every scope the request belongs to (api key, account, organisation, network, campaign) may carry one directive. They are
merged by the two tables below: of the actions that stop a request the strictest wins, and the others add up, the
narrowest scope naming what can only be named once. Throttles are not merged: each subject has its own buckets, and a
request must pass all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final, Literal

import msgspec
from stillwatch_schemas.directives import Action, Directive

from stillwatch_serving.buckets import Refusal, Throttle
from stillwatch_serving.cache import DirectiveCache

Verdict = Literal["allow", "throttle", "challenge", "suspend"]

# action -> (how strict, default HTTP status where it stops the request, error code)
ACTIONS: Final[dict[Action, tuple[int, int | None, str]]] = {
    "observe": (0, None, ""),
    "noise": (1, None, ""),
    "canary": (2, None, ""),
    "watermark": (3, None, ""),
    "throttle": (4, 429, "rate_limit_exceeded"),
    "challenge": (5, 403, "verification_required"),
    "suspend": (6, 403, "account_suspended"),
}

# instruction field -> how the values of several directives become one; `first` is the narrowest scope's
MERGE: Final[dict[str, Literal["first", "min", "max", "all"]]] = {
    "key_id": "first",
    "algorithm": "first",
    "strength": "max",
    "set_id": "first",
    "rate": "max",
    "logprobs": "all",
    "top_logprobs_max": "min",
    "temperature_jitter": "max",
}

COVERT: Final[frozenset[Action]] = frozenset({"observe", "noise", "canary", "watermark"})
"""Actions that a client must not learn of."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a request belongs to, as the gateway authenticated it."""

    account_id: str
    api_key_id: str | None = None
    org_id: str | None = None
    asn: int | None = None
    campaign_ids: tuple[str, ...] = ()


class Instructions(msgspec.Struct, frozen=True, kw_only=True):
    """What the serving engine should do to the answer; None leaves it alone."""

    key_id: str | None = None
    """Watermark key to use (its name, never the key)."""
    algorithm: str | None = None
    strength: float | None = None
    set_id: str | None = None
    """Canary set to draw from."""
    rate: float | None = None
    """Share of answers that get a canary."""
    logprobs: bool | None = None
    """False: return no log-probabilities."""
    top_logprobs_max: int | None = None
    temperature_jitter: float | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What to do with one request."""

    verdict: Verdict = "allow"
    status: int = 200
    """HTTP status to answer with where the verdict is not `allow`."""
    code: str = ""
    message: str = ""
    retry_after_s: int | None = None
    instructions: Instructions | None = None
    directive_ids: tuple[str, ...] = ()
    """Directives that took effect."""
    overt_ids: tuple[str, ...] = ()
    """The part of them that the client may learn of."""
    shadow_ids: tuple[str, ...] = ()
    """Directives that would have taken effect outside shadow mode."""
    charged: tuple[str, ...] = ()
    """Throttled subjects this request was counted in at; `Decider.settle` counts it out."""


ALLOW: Final = Decision()


class Decider:
    """Decides from the cache; owns the throttle buckets. One thread only."""

    def __init__(
        self,
        cache: DirectiveCache,
        *,
        killed: Callable[[int], bool] = lambda _now_ms: False,
        force_shadow: bool = False,
        node_share: float = 1.0,
        on_first_use: Callable[[Directive, int], object] | None = None,
    ) -> None:
        """`killed(now_ms)` is the kill switch: while true, every directive only counts."""
        self._cache = cache
        self._killed = killed
        self._force_shadow = force_shadow or not cache.trusted
        self._node_share = node_share
        self._on_first_use = on_first_use
        self._throttles: dict[str, Throttle] = {}
        self._used: set[str] = set()
        self.verdicts: Counter[Verdict] = Counter()
        """Requests decided, by verdict."""
        self.hits: Counter[tuple[Action, str]] = Counter()
        """Directives met by requests, by action and mode in effect."""

    def decide(self, who: Identity, now_ms: int) -> Decision:
        """Decide one request, and count it against the throttles it passes. Pair with `settle`."""
        found = self._find(who, now_ms)
        if not found:
            self.verdicts["allow"] += 1
            return ALLOW
        decision = self._merge(found, now_ms)
        self.verdicts[decision.verdict] += 1
        return decision

    def settle(self, decision: Decision, tokens: int) -> None:
        """The request is over and cost so many model tokens. Call exactly once for every decision."""
        for key in decision.charged:
            throttle = self._throttles.get(key)
            if throttle is not None:
                throttle.settle(tokens)

    def mode_of(self, directive: Directive, now_ms: int) -> Literal["shadow", "enforce"]:
        """The mode in effect here: the directive's own, unless this node only observes."""
        if directive.mode == "enforce" and not self._force_shadow and not self._killed(now_ms):
            return "enforce"
        return "shadow"

    def prune(self, now_ms: int) -> None:
        """Forget the buckets of directives that have ended and have no request in flight."""
        live = {directive.key: directive.directive_id for directive in self._cache.live(now_ms)}
        self._used &= set(live.values())
        ended = [key for key, throttle in self._throttles.items() if key not in live and throttle.in_flight == 0]
        for key in ended:
            del self._throttles[key]

    def _find(self, who: Identity, now_ms: int) -> list[Directive]:
        """The directives of every scope of a request, the narrowest scope first."""
        get = self._cache.get
        found = [
            get("api_key", who.api_key_id, now_ms) if who.api_key_id is not None else None,
            get("account", who.account_id, now_ms),
            get("org", who.org_id, now_ms) if who.org_id is not None else None,
            get("asn", str(who.asn), now_ms) if who.asn is not None else None,
        ]
        found.extend(get("campaign", campaign, now_ms) for campaign in who.campaign_ids)
        return [directive for directive in found if directive is not None]

    def _merge(self, found: list[Directive], now_ms: int) -> Decision:
        enforced: list[Directive] = []
        shadowed: list[Directive] = []
        for directive in found:
            mode = self.mode_of(directive, now_ms)
            self.hits[directive.action, mode] += 1
            (enforced if mode == "enforce" else shadowed).append(directive)
        for directive in enforced:
            self._note_use(directive, now_ms)
        return msgspec.structs.replace(
            self._outcome(enforced, now_ms),
            directive_ids=_ids(enforced),
            overt_ids=_ids([d for d in enforced if d.action not in COVERT]),
            shadow_ids=_ids(shadowed),
        )

    def _outcome(self, enforced: list[Directive], now_ms: int) -> Decision:
        stop = max((d for d in enforced if d.action in {"challenge", "suspend"}), key=_strictness, default=None)
        if stop is not None:
            return _stopped(stop)
        throttled = [d for d in enforced if d.action == "throttle"]
        refusal = self._refusal(throttled, now_ms)
        if refusal is not None:
            return _throttled(refusal)
        for directive in throttled:
            self._throttles[directive.key].take()
        return Decision(instructions=_instructions(enforced), charged=tuple(d.key for d in throttled))

    def _refusal(self, throttled: list[Directive], now_ms: int) -> Refusal | None:
        """Looks at all buckets before any is charged, so that a refused request costs nothing."""
        refusals = [self._throttle(directive, now_ms).refusal(now_ms) for directive in throttled]
        return max((r for r in refusals if r is not None), key=lambda refusal: refusal.retry_after_s, default=None)

    def _throttle(self, directive: Directive, now_ms: int) -> Throttle:
        throttle = self._throttles.get(directive.key)
        if throttle is None:
            throttle = Throttle(directive.params, now_ms, node_share=self._node_share)
            self._throttles[directive.key] = throttle
        elif throttle.params != directive.params:
            throttle.update(directive.params, now_ms)
        return throttle

    def _note_use(self, directive: Directive, now_ms: int) -> None:
        if directive.directive_id not in self._used:
            self._used.add(directive.directive_id)
            if self._on_first_use is not None:
                self._on_first_use(directive, now_ms)


def _ids(directives: list[Directive]) -> tuple[str, ...]:
    return tuple(directive.directive_id for directive in directives)


def _strictness(directive: Directive) -> int:
    return ACTIONS[directive.action][0]


def _stopped(directive: Directive) -> Decision:
    _, default_status, code = ACTIONS[directive.action]
    asked = directive.params.http_status
    # Only a client error makes sense to a client: a stray 200 or 500 in a directive must not reach it.
    status = asked if asked is not None and 400 <= asked < 500 else default_status  # noqa: PLR2004  # HTTP's own classes
    return Decision(
        verdict="suspend" if directive.action == "suspend" else "challenge",
        status=status or 403,
        code=directive.params.reason_code or code,
        message="Access to this API is suspended. Contact support with the directive id in the response headers."
        if directive.action == "suspend"
        else "This account must be verified before it can go on. Contact support.",
        retry_after_s=directive.params.retry_after_s,
    )


def _throttled(refusal: Refusal) -> Decision:
    return Decision(
        verdict="throttle",
        status=429,
        code=ACTIONS["throttle"][2],
        message=f"Rate limit reached ({refusal.limit}). Try again in {refusal.retry_after_s} s.",
        retry_after_s=refusal.retry_after_s,
    )


def _instructions(enforced: list[Directive]) -> Instructions | None:
    acting = [d for d in enforced if d.action in {"watermark", "canary", "noise"}]
    if not acting:
        return None
    return msgspec.convert({field: _merged(field, how, acting) for field, how in MERGE.items()}, Instructions)


def _merged(field: str, how: str, acting: list[Directive]) -> object:
    values = [value for d in acting if (value := getattr(d.params, field)) is not None]
    if not values:
        return None
    merge: dict[str, Callable[[list[object]], object]] = {"min": min, "max": max, "all": all}  # type: ignore[dict-item]  # numbers, by MERGE
    return values[0] if how == "first" else merge[how](values)
