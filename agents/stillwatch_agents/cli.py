"""`stillwatch`: every command in one place. Exit codes: 0 ok, 1 found problems, 2 usage."""

from __future__ import annotations

import sys

import typer
from stillwatch_schemas.errors import StillwatchError

from stillwatch_agents.commands.broker import broker
from stillwatch_agents.commands.demo import demo
from stillwatch_agents.commands.dlq import dlq
from stillwatch_agents.commands.doctor import doctor
from stillwatch_agents.commands.replay import replay
from stillwatch_agents.commands.simulate import simulate
from stillwatch_agents.commands.topics import topics
from stillwatch_agents.commands.worker import worker

app = typer.Typer(name="stillwatch", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def stillwatch() -> None:
    """Find distillation attacks on LLM APIs in real time."""


app.command()(broker)
app.command()(demo)
app.command()(replay)
app.command()(simulate)
app.add_typer(topics, name="topics")
app.command()(worker)
app.add_typer(dlq, name="dlq")
app.command()(doctor)


def main() -> None:
    """Run the command line; our own errors become one clear line, not a traceback."""
    try:
        app()
    except StillwatchError as error:
        typer.echo(f"stillwatch: {error}", err=True)
        sys.exit(error.exit_code)
