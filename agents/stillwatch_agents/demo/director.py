"""Runs the demo: starts the stack, plays the world, shows what happens, and ends without leaving anything behind."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Coroutine
from functools import partial
from typing import Any

import msgspec
from rich.console import Console
from rich.live import Live
from stillwatch_schemas.directives import Directive

from stillwatch_agents.demo.plain import PlainLines
from stillwatch_agents.demo.screen import draw
from stillwatch_agents.demo.stack import Stack, running_stack
from stillwatch_agents.demo.state import DemoState, Suspect
from stillwatch_agents.demo.summary import Summary, summarise
from stillwatch_agents.demo.traffic import Traffic
from stillwatch_agents.demo.watch import follow_metrics, follow_topics
from stillwatch_agents.demo.world import World, engine_config

REDRAW_SECONDS = 0.25
HEAD_START_MS = 3_000
"""What the back-fill may take: live events must not pile up behind it and arrive as one burst."""
GOING_ON = (
    "On a real Kafka: stillwatch demo --bootstrap host:9092 (own topics, deleted at the end); "
    "the service itself: export STILLWATCH_BROKER__BOOTSTRAP=host:9092; stillwatch topics create && stillwatch worker"
)
"""How to go on from here: under the screen, and after the end."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How the demo is to run."""

    duration_seconds: float | None
    speed: float
    seed: int
    bootstrap: str | None
    screen: bool
    """Draw on the terminal; otherwise plain lines."""
    quiet: bool = False
    """Nothing but the summary."""


def run_demo(options: Options, console: Console) -> Summary:
    """Run until the duration is over, or Ctrl-C or SIGTERM."""
    return asyncio.run(_Demo(options, console).run())


class _Demo:
    def __init__(self, options: Options, console: Console) -> None:
        self._options = options
        self._console = console
        self._began = time.monotonic()
        self._world = World(seed=options.seed, speed=options.speed)
        self._state = DemoState(self._world.truth)
        self._lines = PlainLines(partial(console.print, markup=False, highlight=False, soft_wrap=True), self._seconds)
        self._stopping = asyncio.Event()
        self._stopped_at: float | None = None

    def _seconds(self) -> float:
        return time.monotonic() - self._began

    async def run(self) -> Summary:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop)
        if self._options.duration_seconds is not None:
            loop.call_later(self._options.duration_seconds, self._stop)
        await _first_of(self._show(), self._stopping.wait(), self._play())
        return summarise(self._state, self._seconds() if self._stopped_at is None else self._stopped_at)

    def _stop(self) -> None:
        if not self._stopping.is_set():
            self._stopped_at = self._seconds()
            self._enter("stopping")
        self._stopping.set()

    async def _play(self) -> None:
        self._enter("starting broker, worker and gateway; the first time on a machine, code is compiled (some 10 s)")
        preparing = asyncio.create_task(asyncio.to_thread(self._world.prepare))
        async with running_stack(engine_config(self._options.speed), self._options.bootstrap) as stack:
            self._state.broker = stack.broker
            self._say(f"broker: {stack.broker}")
            await _first_of(self._follow(stack), self._perform(stack, preparing))

    async def _perform(self, stack: Stack, preparing: asyncio.Task[int]) -> None:
        async with Traffic(stack, self._state, self._seconds) as traffic:
            await asyncio.gather(preparing, stack.ready(stack.gateway_url), stack.ready(stack.worker_url))
            live_from_ms = _now_ms() + HEAD_START_MS
            self._enter("back-filling 34 hours of history")
            await traffic.backfill(self._world.history(live_from_ms))
            self._state.live_at = self._seconds()
            self._enter("live")
            await traffic.play(self._world.live(live_from_ms), _now_ms)

    async def _follow(self, stack: Stack) -> None:
        await asyncio.gather(
            follow_metrics(stack, self._state, self._seconds),
            follow_topics(
                stack, self._state, self._seconds, on_alert=self._say_alert, on_directive=self._say_directive
            ),
        )

    async def _show(self) -> None:
        if not self._options.screen:
            while True:
                await asyncio.sleep(REDRAW_SECONDS)
                if not self._options.quiet:
                    self._lines.status(self._state)
        with Live(console=self._console, screen=True, auto_refresh=False) as live:
            while True:
                width, height = self._console.size
                screen = draw(
                    self._state, self._seconds(), width=width, height=height, hint=f"Ctrl-C ends it. {GOING_ON}"
                )
                live.update(screen, refresh=True)
                await asyncio.sleep(REDRAW_SECONDS)

    def _enter(self, phase: str) -> None:
        self._state.phase = phase
        self._say(phase)

    def _say(self, text: str) -> None:
        if not self._options.screen and not self._options.quiet:
            self._lines.say(text)

    def _say_alert(self, suspect: Suspect) -> None:
        if not self._options.screen and not self._options.quiet:
            self._lines.alert(suspect)

    def _say_directive(self, directive: Directive) -> None:
        if not self._options.screen and not self._options.quiet:
            self._lines.directive(directive)


async def _first_of(*works: Coroutine[Any, Any, Any]) -> None:
    """Run all until the first ends; its failure is ours, the others are cancelled and waited for."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
