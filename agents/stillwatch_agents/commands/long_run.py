"""What commands share that run over a long input: a progress bar, and a collector that does not get in the way."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from stillwatch_streams.replay.reading import Progress as Watch
from stillwatch_streams.replay.subprocesses import COLLECTOR


@contextmanager
def calm_collector() -> Iterator[None]:
    """Let the cycle collector run rarely, as in the processes that help."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*COLLECTOR)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextmanager
def progress_bar(title: str) -> Iterator[Watch]:
    """A progress bar on a terminal's stderr, with rate and time left; nothing elsewhere."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(show_speed=False),
        TextColumn("{task.fields[events]:,} events"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    task = bar.add_task(title, total=None, events=0, rate=0.0)

    def watch(done: int, size: int, events: int) -> None:
        elapsed = bar.tasks[0].elapsed or 1.0
        bar.update(task, completed=done, total=size, events=events, rate=events / max(elapsed, 1e-3))

    with bar:
        yield watch


class Outcome(Protocol):
    """How a run over an input ended."""

    @property
    def error(self) -> str | None:
        """Why reading broke off."""
        ...

    @property
    def interrupted(self) -> bool:
        """Whether somebody stopped it."""
        ...

    @property
    def events(self) -> int:
        """Events read and understood."""
        ...


def exit_unless_whole(outcome: Outcome) -> None:
    """Exit with 2 where the input broke off, saying why; with 1 where somebody stopped the run or nothing was read."""
    if outcome.error:
        typer.echo(f"stillwatch: {outcome.error}", err=True)
        raise typer.Exit(2)
    if outcome.interrupted or not outcome.events:
        raise typer.Exit(1)
