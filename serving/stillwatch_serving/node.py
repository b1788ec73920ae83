"""One serving process: cache, tail, decider and emitter wired together. The composition root of this package."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self

import msgspec
from stillwatch_schemas.acks import Ack, AckOutcome
from stillwatch_schemas.directives import Directive
from stillwatch_schemas.errors import ConfigError
from stillwatch_schemas.events import RequestEvent

from stillwatch_serving.cache import REFUSALS, Applied, DirectiveCache
from stillwatch_serving.decisions import Decider, Decision, Identity
from stillwatch_serving.emitter import Emitter
from stillwatch_serving.kill_switch import KillSwitch
from stillwatch_serving.settings import BrokerSettings, ServingSettings
from stillwatch_serving.tail import DirectiveTail

HOUSEKEEPING_SECONDS = 1.0
DRAIN_SECONDS = 5.0


def wall_clock_ms() -> int:
    """Milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


class Ticket(msgspec.Struct, frozen=True, eq=False):
    """A running request."""

    decision: Decision
    arrived_ms: int


class ServingNode:
    """Start it with the server, ask it for decisions, tell it what happened, stop it with the server.

    Decisions work from the first moment and whatever happens to Kafka; until the topic was read once (`ready`) they
    may miss directives.
    """

    def __init__(
        self,
        broker: BrokerSettings,
        settings: ServingSettings,
        *,
        now_ms: Callable[[], int] = wall_clock_ms,
        token_provider: Any = None,
    ) -> None:
        """Raises ConfigError when the public key or the sketch key cannot be used."""
        self.settings = settings
        self.now_ms = now_ms
        options = partial(broker.client_options, token_provider=token_provider)
        self.cache = DirectiveCache(_verifier(settings), max_ttl_ms=int(settings.max_ttl_seconds * 1_000))
        self.decider = Decider(
            self.cache,
            killed=KillSwitch(settings.kill_switch_path, always=settings.kill_switch),
            force_shadow=settings.force_shadow,
            node_share=settings.node_share,
            on_first_use=self._acknowledge_use,
        )
        self.emitter = Emitter(
            topic=settings.requests_topic,
            acks_topic=settings.acks_topic,
            client_options=options,
            now_ms=now_ms,
            queue_size=settings.queue_size,
            heartbeat_seconds=settings.heartbeat_seconds,
            private=_privacy(settings),
            oldest_running_ms=self._oldest_running_ms,
        )
        self.tail = DirectiveTail(
            self.cache,
            topic=settings.enforcement_topic,
            client_options=options,
            now_ms=now_ms,
            on_change=self._acknowledge_change,
        )
        self._running: dict[int, Ticket] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> Self:
        """Start following and publishing in the background; returns at once, with or without Kafka."""
        self._tasks = [asyncio.create_task(run()) for run in (self.tail.run, self.emitter.run, self._keep_house)]
        return self

    async def stop(self) -> None:
        """Publish what is queued, for a few seconds at most, then stop."""
        if self.emitter.connected:
            await self.emitter.drained(DRAIN_SECONDS)
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()

    @property
    def ready(self) -> bool:
        """Whether every directive on the topic is known here."""
        return self.tail.status.loaded

    def begin(self, who: Identity) -> Ticket:
        """A request arrived: what to do with it. Pair with `end`."""
        now_ms = self.now_ms()
        ticket = Ticket(self.decider.decide(who, now_ms), now_ms)
        self._running[id(ticket)] = ticket
        return ticket

    def end(self, ticket: Ticket, event: Mapping[str, Any] | RequestEvent | None, *, tokens: int) -> None:
        """The request is over: count its model tokens and publish its event (or loose fields of it; None: without)."""
        if self._running.pop(id(ticket), None) is None:
            return
        self.decider.settle(ticket.decision, tokens)
        if event is None:
            self.emitter.counts["unfit"] += 1
        else:
            self.emitter.emit(event)

    def state(self) -> dict[str, Any]:
        """What the node holds and did so far, for health pages and consoles."""
        now_ms = self.now_ms()
        return {
            "node": self.settings.node,
            "ready": self.ready,
            "trusted": self.cache.trusted,
            "tail": msgspec.to_builtins(self.tail.status),
            "directives": [_summary(d, self.decider.mode_of(d, now_ms)) for d in self.cache.live(now_ms)],
            "records": dict(self.cache.counts),
            "verdicts": dict(self.decider.verdicts),
            "hits": {f"{action}/{mode}": count for (action, mode), count in self.decider.hits.items()},
            "emitter": {"connected": self.emitter.connected, "queued": len(self.emitter), **self.emitter.counts},
        }

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            now_ms = self.now_ms()
            self.cache.prune(now_ms)
            self.decider.prune(now_ms)

    def _oldest_running_ms(self) -> int | None:
        return min((ticket.arrived_ms for ticket in self._running.values()), default=None)

    def _acknowledge_change(self, applied: Applied, now_ms: int) -> None:
        if applied.directive is None:
            return
        if applied.outcome in REFUSALS:
            self._acknowledge(applied.directive, "refused", now_ms, f"{applied.outcome}: {applied.detail}")
        elif applied.outcome in ("applied", "released"):
            self._acknowledge(applied.directive, applied.outcome, now_ms)

    def _acknowledge_use(self, directive: Directive, now_ms: int) -> None:
        self._acknowledge(directive, "enforced", now_ms)

    def _acknowledge(self, directive: Directive, outcome: AckOutcome, now_ms: int, detail: str = "") -> None:
        self.emitter.acknowledge(
            Ack(
                key=directive.key,
                directive_id=directive.directive_id,
                revision=directive.revision,
                node=self.settings.node,
                at=now_ms,
                outcome=outcome,
                mode=self.decider.mode_of(directive, now_ms),
                detail=detail,
            )
        )


def _verifier(settings: ServingSettings) -> Callable[[bytes], object] | None:
    if settings.public_key_path is None:
        return None
    from stillwatch_schemas import signing  # noqa: PLC0415  # an extra; needed only where directives are obeyed

    key = signing.load_public_key(Path(settings.public_key_path))
    return lambda value: signing.verify_value(value, key)


def _privacy(settings: ServingSettings) -> Callable[[list[RequestEvent]], list[RequestEvent]] | None:
    if not settings.privacy:
        return None
    if settings.sketch_key is None:
        raise ConfigError("STILLWATCH_SERVING__PRIVACY is on but STILLWATCH_SERVING__SKETCH_KEY is not set: set both")
    from stillwatch_schemas.sketch import Sketcher, with_sketches  # noqa: PLC0415  # an extra; needs numpy

    sketcher = Sketcher(settings.sketch_key.encode())
    return lambda events: with_sketches(events, sketcher)


def _summary(directive: Directive, mode: str) -> dict[str, Any]:
    return {
        "directive_id": directive.directive_id,
        "key": directive.key,
        "revision": directive.revision,
        "action": directive.action,
        "mode": mode,
        "expires_at": directive.expires_at,
        "reason": directive.reason,
    }
