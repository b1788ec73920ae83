"""The policy: findings become directives by a transition table, inside a blast radius, and never for ever.

Rules, in the order in which they are applied:
1. `close` releases the directive that the same incident asked for; an analyst's release ends any on the subject.
2. The table gives the action for (kind, tier). What is not in the table is observed.
3. `suspend` needs a human, who confirmed the incident, unless the configuration says otherwise: the hardest throttle
   takes its place.
4. Blast radius: when the share of a shard's accounts under an action other than `observe` has reached the cap, the new
   directive only observes, and says so.
5. A live directive is replaced by a stronger one (a stronger action, or a throttle to fewer requests), or by one of the
   same strength when half its life is over; it is never weakened before it expires.
6. Every directive expires; when it has, the tombstone is written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec
from stillwatch_schemas.directives import Action, Directive, Params, Release, Scope
from stillwatch_schemas.findings import Finding, Tier

from stillwatch_models.config import EngineConfig
from stillwatch_models.incidents import ASN_SURGE, CAMPAIGN_MEMBER, DISTILLATION, HARD_CEILING, derived_uid
from stillwatch_models.shard import Batch, Checkpoint, Outputs

Response = tuple[Action, Params]

OBSERVE: Response = ("observe", Params())
CANARY: Response = ("canary", Params(set_id="default", rate=0.05))
THROTTLE: Response = ("throttle", Params(rpm=10, tokens_per_day=50_000, retry_after_s=30))
HARD_THROTTLE: Response = ("throttle", Params(rpm=1, tokens_per_day=5_000, retry_after_s=300))
SUSPEND: Response = ("suspend", Params(http_status=403, reason_code="distillation"))

TRANSITIONS: Mapping[tuple[str, Tier], Response] = {
    (DISTILLATION, "medium"): CANARY,
    (DISTILLATION, "high"): THROTTLE,
    (DISTILLATION, "critical"): SUSPEND,
    (CAMPAIGN_MEMBER, "medium"): CANARY,
    (CAMPAIGN_MEMBER, "high"): THROTTLE,
    (CAMPAIGN_MEMBER, "critical"): SUSPEND,
    (HARD_CEILING, "high"): THROTTLE,
    (ASN_SURGE, "medium"): OBSERVE,
}

STRENGTH: Mapping[Action, int] = {
    "observe": 0,
    "watermark": 1,
    "canary": 2,
    "noise": 3,
    "challenge": 4,
    "throttle": 5,
    "suspend": 6,
}

ISSUER = "stillwatch.policy"
DIRECTIVE_ROW, CLOCK_ROW = b"d:", b"m:clock"


class PolicyClock(msgspec.Struct):
    """The small part of the state."""

    next_offset: int
    shard_accounts: dict[int, int]
    withheld: int


class PolicyEngine:
    """One partition of the alerts topic. Items: `Finding`."""

    def __init__(self, config: EngineConfig, partition: int) -> None:
        self.config = config.policy
        self.partition = partition
        self.withheld = 0
        """Directives that the blast radius turned into observation."""
        self._active: dict[str, Directive] = {}
        self._accounts: dict[int, int] = {}
        """Accounts known to each source shard."""
        self._next_offset = 0
        self._checkpointed = -1
        self._dirty: set[str] = set()

    def process(self, batch: Batch[Finding]) -> Outputs:
        """Answer findings, one after the other."""
        out = Outputs()
        for found in batch.items:
            self._accounts[found.shard] = max(self._accounts.get(found.shard, 0), found.shard_accounts)
            answer = self._answer(found)
            if answer is not None:
                out.directives.append(answer)
        self._next_offset = max(self._next_offset, batch.next_offset)
        return out

    def finish(self) -> Outputs:
        """Nothing waits here."""
        return Outputs()

    def expire(self, now_ms: int) -> Outputs:
        """Write the tombstones of directives that have run out."""
        over = sorted(key for key, directive in self._active.items() if directive.expires_at <= now_ms)
        for key in over:
            self._forget(key)
        return Outputs(directives=[Release(key=key, reason="expired", at=now_ms) for key in over])

    # -- one finding ---------------------------------------------------------------------------------------------

    def _answer(self, found: Finding) -> Directive | Release | None:
        scope = scope_of(found)
        if scope is None:
            return None
        key = f"{scope}:{found.subject}"
        live = self._live(key, found.time_ms)
        if found.ruling == "released":
            return self._release(key, found) if live and live.issued_at <= found.time_ms else None
        if found.activity == "close":
            return self._release(key, found) if live and live.finding_uid == found.uid else None
        action, params, reason = self._response(found, key)
        ttl_ms = self.config.directive_ttl_seconds * 1000
        if live is not None and not _replaces((action, params), found.time_ms, live, ttl_ms):
            return None
        directive = self._directive(scope, found, (action, params), reason, live)
        self._active[key] = directive
        self._dirty.add(key)
        return directive

    def _response(self, found: Finding, key: str) -> tuple[Action, Params, str]:
        action, params = TRANSITIONS.get((found.kind, found.tier), OBSERVE)
        reason = f"{found.kind}, tier {found.tier}, risk {found.risk_score}"
        if found.ruling == "confirmed":
            reason += "; confirmed by an analyst"
        elif action == "suspend" and self.config.suspend_needs_human:
            action, params = HARD_THROTTLE
            reason += "; suspension awaits a human"
        if action != "observe" and self._cap_reached(key, found.time_ms):
            self.withheld += 1
            return (*OBSERVE, f"{reason}; {action} withheld: blast-radius cap of {self.config.max_account_share:.1%}")
        return action, params, reason

    def _cap_reached(self, key: str, now_ms: int) -> bool:
        acting = sum(
            other != key and live.action != "observe" and live.expires_at > now_ms
            for other, live in self._active.items()
        )
        return acting + 1 > max(1.0, self.config.max_account_share * sum(self._accounts.values()))

    def _directive(
        self, scope: Scope, found: Finding, response: Response, reason: str, live: Directive | None
    ) -> Directive:
        revision = max(found.time_ms, live.revision + 1 if live else 0)
        return Directive(
            directive_id=derived_uid(scope, found.subject, revision),
            revision=revision,
            supersedes=live.directive_id if live else None,
            scope=scope,
            subject=found.subject,
            action=response[0],
            params=response[1],
            mode=self.config.mode,
            issued_at=found.time_ms,
            not_before=found.time_ms,
            expires_at=found.time_ms + self.config.directive_ttl_seconds * 1000,
            finding_uid=found.uid,
            reason=reason,
            issued_by=ISSUER,
        )

    def _live(self, key: str, now_ms: int) -> Directive | None:
        directive = self._active.get(key)
        return directive if directive is not None and directive.expires_at > now_ms else None

    def _release(self, key: str, found: Finding) -> Release:
        self._forget(key)
        why = "released by an analyst" if found.ruling == "released" else "closed"
        return Release(key=key, reason=f"incident {found.uid} {why}", at=found.time_ms)

    def _forget(self, key: str) -> None:
        del self._active[key]
        self._dirty.add(key)

    # -- putting down and picking up -----------------------------------------------------------------------------

    def checkpoint(self) -> Checkpoint | None:
        """Directives that changed since the last checkpoint."""
        if not self._dirty and self._next_offset <= self._checkpointed:
            return None
        rows = {DIRECTIVE_ROW + key.encode("utf-8", "surrogatepass"): self._row(key) for key in sorted(self._dirty)}
        rows[CLOCK_ROW] = self._clock_row()
        self._dirty.clear()
        self._checkpointed = self._next_offset
        return Checkpoint(rows=rows, next_offset=self._next_offset)

    def snapshot(self) -> dict[bytes, bytes]:
        """Every row, in key order."""
        rows = {
            DIRECTIVE_ROW + key.encode("utf-8", "surrogatepass"): msgspec.json.encode(directive)
            for key, directive in sorted(self._active.items())
        }
        return {**rows, CLOCK_ROW: self._clock_row()}

    def restore(self, rows: Mapping[bytes, bytes]) -> int:
        """Take over the rows of a snapshot; returns the offset to read from."""
        clock = msgspec.json.decode(rows[CLOCK_ROW], type=PolicyClock)
        self._next_offset = self._checkpointed = clock.next_offset
        self._accounts, self.withheld = clock.shard_accounts, clock.withheld
        for key, row in rows.items():
            if key.startswith(DIRECTIVE_ROW):
                directive = msgspec.json.decode(row, type=Directive)
                self._active[directive.key] = directive
        return clock.next_offset

    def _row(self, key: str) -> bytes | None:
        directive = self._active.get(key)
        return None if directive is None else msgspec.json.encode(directive)

    def _clock_row(self) -> bytes:
        return msgspec.json.encode(PolicyClock(self._next_offset, self._accounts, self.withheld))


def scope_of(found: Finding) -> Scope | None:
    """Which of the enforcement scopes a finding's subject belongs to; None for subjects that nobody can act on."""
    scopes: Mapping[str, Scope] = {"account": "account", "asn": "asn", "campaign": "campaign"}
    return scopes.get(found.subject_kind)


def strength(response: Response) -> tuple[int, float]:
    """Orders responses: by action, then by how few requests a minute a throttle leaves."""
    action, params = response
    return STRENGTH[action], -math.inf if params.rpm is None else -params.rpm


def _replaces(response: Response, now_ms: int, live: Directive, ttl_ms: int) -> bool:
    new, old = strength(response), strength((live.action, live.params))
    half_over = live.expires_at - now_ms <= ttl_ms / 2
    return new > old or (new == old and half_over)
