"""Throttling: token buckets for one directive's subject on this node. Pure: the time is an argument, in ms.

Each limit has its own meaning:

| limit            | how it is kept                                                               |
|------------------|------------------------------------------------------------------------------|
| `rpm`            | bucket of requests; holds ten seconds' worth (at least one)                   |
| `tpm`            | bucket of model tokens; holds a minute's worth, charged after the answer (debt allowed) |
| `tokens_per_day` | model tokens since midnight UTC                                               |
| `concurrency`    | requests in flight                                                            |

Limits count per node: with n nodes behind one load balancer set `node_share` to 1/n.
"""

from __future__ import annotations

import math

import msgspec
from stillwatch_schemas.directives import Params

MINUTE_MS = 60_000
DAY_MS = 86_400_000
BURST_MS = 10_000


class Refusal(msgspec.Struct, frozen=True):
    """Which limit refused the request, and when it is worth trying again."""

    limit: str
    retry_after_s: int


class _Bucket:
    """Refills evenly up to its capacity; starts full."""

    __slots__ = ("at_ms", "capacity", "level", "per_ms")

    def __init__(self, per_minute: float, capacity: float, now_ms: int) -> None:
        self.per_ms = per_minute / MINUTE_MS
        self.capacity = capacity
        self.level = capacity
        self.at_ms = now_ms

    def refill(self, now_ms: int) -> None:
        # A clock that steps back must not drain the bucket.
        if now_ms > self.at_ms:
            self.level = min(self.capacity, self.level + (now_ms - self.at_ms) * self.per_ms)
            self.at_ms = now_ms

    def seconds_until(self, wanted: float) -> int:
        return max(1, math.ceil((wanted - self.level) / self.per_ms / 1_000))


class Throttle:
    """The limits of one subject. `refusal` looks, `take` counts a request in, `settle` counts its answer."""

    def __init__(self, params: Params, now_ms: int, *, node_share: float = 1.0) -> None:
        self.in_flight = 0
        self._day = now_ms // DAY_MS
        self._day_tokens = 0
        self._requests: _Bucket | None = None
        self._tokens: _Bucket | None = None
        self.params = Params()
        self._node_share = node_share
        self.update(params, now_ms)

    def update(self, params: Params, now_ms: int) -> None:
        """Take over a new revision's limits without forgetting what was used."""
        share = self._node_share
        rpm = None if params.rpm is None else max(params.rpm * share, 1e-6)
        tpm = None if params.tpm is None else max(params.tpm * share, 1e-6)
        self._requests = _renewed(self._requests, rpm, BURST_MS, now_ms)
        self._tokens = _renewed(self._tokens, tpm, MINUTE_MS, now_ms)
        self.params = params

    def refusal(self, now_ms: int) -> Refusal | None:
        """The first limit that stands in the way of one more request now, without counting it."""
        params = self.params
        if params.concurrency is not None and self.in_flight >= max(1, params.concurrency * self._node_share):
            return self._refuse("concurrency", 1)
        if self._requests is not None:
            self._requests.refill(now_ms)
            if self._requests.level < 1:
                return self._refuse("rpm", self._requests.seconds_until(1))
        if self._tokens is not None:
            self._tokens.refill(now_ms)
            if self._tokens.level <= 0:
                return self._refuse("tpm", self._tokens.seconds_until(1))
        return self._daily_refusal(now_ms)

    def take(self) -> None:
        """Count one request in; call after `refusal` said None at the same time."""
        self.in_flight += 1
        if self._requests is not None:
            self._requests.level -= 1

    def settle(self, tokens: int) -> None:
        """Count the request out and its model tokens in."""
        self.in_flight = max(0, self.in_flight - 1)
        self._day_tokens += tokens
        if self._tokens is not None:
            self._tokens.level -= tokens

    def _daily_refusal(self, now_ms: int) -> Refusal | None:
        day = now_ms // DAY_MS
        if day > self._day:
            self._day, self._day_tokens = day, 0
        limit = self.params.tokens_per_day
        if limit is None or self._day_tokens < limit * self._node_share:
            return None
        return self._refuse("tokens_per_day", math.ceil(((day + 1) * DAY_MS - now_ms) / 1_000))

    def _refuse(self, limit: str, seconds: int) -> Refusal:
        return Refusal(limit, max(seconds, self.params.retry_after_s or 1))


def _renewed(old: _Bucket | None, per_minute: float | None, capacity_ms: int, now_ms: int) -> _Bucket | None:
    if per_minute is None:
        return None
    bucket = _Bucket(per_minute, max(1.0, per_minute * capacity_ms / MINUTE_MS), now_ms)
    if old is not None:
        bucket.level = min(old.level, bucket.capacity)
        bucket.at_ms = old.at_ms
    return bucket
