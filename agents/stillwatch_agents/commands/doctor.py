"""`stillwatch doctor`: what a worker would find, before it runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.text import Text
from stillwatch_streams.settings_file import load_settings

from stillwatch_agents.commands.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from stillwatch_streams.doctor import Finding

COLOUR = {"ok": "green", "problem": "bold red", "skipped": "yellow"}


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
        console.print(f"{key} = {value}", highlight=False, markup=False, soft_wrap=True)
    console.print()
    width = max(len(finding.check) for finding in found)
    for finding in found:
        line = Text.assemble((f"{finding.outcome:<8}", COLOUR[finding.outcome]), f"  {finding.check:<{width}}  ")
        console.print(line.append(finding.detail), soft_wrap=True)
        if finding.mend:
            console.print(f"{'':<8}  {'':<{width}}  mend: {finding.mend}", soft_wrap=True, markup=False)
    console.print(f"\n{_verdict(found)}", highlight=False)
    raise typer.Exit(int(bad))


def _verdict(found: Sequence[Finding]) -> str:
    problems = sum(finding.outcome == "problem" for finding in found)
    skipped = sum(finding.outcome == "skipped" for finding in found)
    left = f", {skipped} not looked at" if skipped else ""
    return f"{problems} of {len(found)} checks found a problem{left}." if problems else "No problem found."
