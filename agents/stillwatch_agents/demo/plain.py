"""The demo without a terminal: one line for each thing worth a line."""

from __future__ import annotations

from collections.abc import Callable

from stillwatch_schemas.directives import Directive

from stillwatch_agents.demo.screen import reasons
from stillwatch_agents.demo.state import DemoState, Suspect

STATUS_EVERY_SECONDS = 10.0


class PlainLines:
    """Writes lines through `write`, each with the seconds since the start."""

    def __init__(self, write: Callable[[str], object], seconds: Callable[[], float]) -> None:
        self._write = write
        self._seconds = seconds
        self._status_at = 0.0

    def say(self, text: str) -> None:
        """One line."""
        self._write(f"[{self._seconds():6.1f} s] {text}")

    def alert(self, suspect: Suspect) -> None:
        """A new or graver alert."""
        found = suspect.finding
        why = next(iter(reasons(found)), "")
        self.say(f"ALERT {found.activity} {found.tier} {found.kind} {found.subject} (truth: {suspect.truth}) - {why}")

    def directive(self, directive: Directive) -> None:
        """A new directive."""
        self.say(f"DIRECTIVE {directive.action} {directive.key} - {directive.reason}")

    def status(self, state: DemoState) -> None:
        """Every ten seconds, how things stand."""
        at = self._seconds()
        if state.live_at is None or at - max(self._status_at, state.live_at) < STATUS_EVERY_SECONDS:
            return
        self._status_at = at
        answers = "; ".join(
            f"{traffic.name} " + ", ".join(f"{status} x{count}" for status, count in sorted(traffic.statuses.items()))
            for traffic in state.traffic.values()
            if traffic.statuses
        )
        rate = f"{state.events_per_second():.0f} events/s, {state.processed:,} processed, lag {state.lag}"
        self.say(f"{rate}; answers: {answers}")
