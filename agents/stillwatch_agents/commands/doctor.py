"""`stillwatch doctor`: what a worker would find, before it runs."""

from __future__ import annotations

import asyncio
import json

import typer
from rich.console import Console
from rich.table import Table
from stillwatch_streams.settings_file import load_settings

from stillwatch_agents.commands.options import AsJson, ConfigFile

MARK = {"ok": "[green]ok[/]", "problem": "[red]PROBLEM[/]", "skipped": "[yellow]skipped[/]"}


def doctor(*, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Print the settings (secrets masked) and check broker, topics, permissions, clock and keys; exit 1 on problems.

    Example: STILLWATCH_BROKER__BOOTSTRAP=kafka:9092 stillwatch doctor
    """
    from stillwatch_streams.doctor import examine, shown_settings  # noqa: PLC0415 - brings the Kafka clients along

    settings = load_settings(config)
    found = asyncio.run(examine(settings))
    bad = any(finding.outcome == "problem" for finding in found)
    if as_json:
        checks = [{"check": f.check, "outcome": f.outcome, "detail": f.detail, "mend": f.mend} for f in found]
        typer.echo(json.dumps({"settings": shown_settings(settings), "checks": checks, "ok": not bad}))
        raise typer.Exit(int(bad))
    console = Console()
    for key, value in shown_settings(settings).items():
        console.print(f"{key} = {value}", highlight=False, markup=False)
    table = Table("check", "", "what", "how to mend it")
    for finding in found:
        table.add_row(finding.check, MARK[finding.outcome], finding.detail, finding.mend)
    console.print(table)
    raise typer.Exit(int(bad))
