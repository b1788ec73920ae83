"""`stillwatch simulate`: write a labelled request stream from a scenario."""

from __future__ import annotations

import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from stillwatch_schemas.errors import ConfigError
from stillwatch_streams.simulator import Scenario, load_scenario, shipped
from stillwatch_streams.simulator.timing import DAY
from stillwatch_streams.simulator.writer import FORMATS, Format, Summary, write


def simulate(
    *,
    scenario: Annotated[str, typer.Option(help="A shipped scenario's name, or a file that ends in .toml.")] = "",
    out: Annotated[Path | None, typer.Option(help="Directory to write into; made if absent.")] = None,
    seed: Annotated[int, typer.Option(help="Equal scenario and seed give equal bytes.")] = 1,
    days: Annotated[float | None, typer.Option(help="Simulate this many days instead of the scenario's own.")] = None,
    start: Annotated[str, typer.Option(help="Day 0, ISO 8601 in UTC; default: the scenario's own.")] = "",
    form: Annotated[str, typer.Option("--format", help=f"Events as {', '.join(FORMATS)}.")] = "jsonl.zst",
    list_: Annotated[bool, typer.Option("--list", help="Name the shipped scenarios and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Write a labelled stream of request events: events, labels, event labels and the resolved scenario.

    Example: stillwatch simulate --scenario low-and-slow --seed 7 --out out/low
    """
    if list_:
        _print_list(as_json)
        return
    if not scenario or out is None:
        raise typer.BadParameter("give --scenario NAME|FILE and --out DIR, or --list")
    chosen = _chosen(scenario, days)
    start_ms = _milliseconds(start or chosen.start)
    if form not in FORMATS:
        raise ConfigError(f"--format is '{form}'; allowed: {', '.join(FORMATS)}")
    summary = _written(chosen, seed, out, start_ms, form)
    if as_json:
        typer.echo(msgspec.json.encode(summary))
    else:
        _print(summary)
    if not summary.complete:
        raise typer.Exit(1)


def _written(scenario: Scenario, seed: int, out: Path, start_ms: int, form: Format) -> Summary:
    """Write with a progress bar on stderr that follows simulated time; Ctrl-C ends the stream, not the files."""
    interrupted = threading.Event()
    before = signal.signal(signal.SIGINT, lambda _signal, _frame: interrupted.set())
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[events]:,} events"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    task = bar.add_task(scenario.name, total=scenario.days * DAY, events=0)

    def watch(events: int, ts: int) -> bool:
        bar.update(task, completed=ts - start_ms, events=events)
        return not interrupted.is_set()

    try:
        with bar:
            return write(scenario, seed, out, start_ms=start_ms, form=form, watch=watch)
    finally:
        signal.signal(signal.SIGINT, before)


def _chosen(name: str, days: float | None) -> Scenario:
    scenario = load_scenario(name)
    if days is None:
        return scenario
    if not days > 0:
        raise ConfigError(f"--days is {days:g}; it must be above 0")
    return msgspec.structs.replace(scenario, days=days)


def _milliseconds(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"start is '{text}'; write it like 2026-03-02T00:00:00Z") from error
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)


def _print_list(as_json: bool) -> None:
    found = {name: load_scenario(name).about for name in shipped()}
    if as_json:
        typer.echo(msgspec.json.encode(found))
        return
    width = max(map(len, found))
    for name, about in found.items():
        typer.echo(f"{name:<{width}}  {about}")


def _print(summary: Summary) -> None:
    state = "" if summary.complete else " (interrupted: the stream ends early, the files are whole)"
    typer.echo(
        f"{summary.scenario}, seed {summary.seed}: {summary.events:,} events ({summary.attack_events:,} of attacks), "
        f"{summary.accounts:,} accounts ({summary.distilling_accounts:,} distilling in {summary.campaigns} campaigns)"
        f"{state}"
    )
    for path in summary.files.values():
        typer.echo(f"  {path}")
