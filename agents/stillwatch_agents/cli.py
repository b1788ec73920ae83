"""`stillwatch`: every command in one place. Exit codes: 0 ok, 1 found problems, 2 usage.

A command's module is imported only when it is asked for: the engine brings SciPy and River along, which take seconds,
and `stillwatch topics list` should not wait for them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import version
from typing import Annotated

import typer
from stillwatch_schemas.errors import StillwatchError

COMMANDS = (
    "demo",
    "worker",
    "replay",
    "compare",
    "simulate",
    "topics",
    "verdict",
    "directives",
    "dlq",
    "doctor",
    "broker",
)
"""In the order of `--help`. Each is a module in `commands` with a function, or a group of commands, of its own name."""


def command_line(only: str | None = None) -> typer.Typer:
    """The command line with one command, or with all where `only` names none."""
    app = typer.Typer(name="stillwatch", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(stillwatch)
    for name in (only,) if only in COMMANDS else COMMANDS:
        command = getattr(import_module(f"stillwatch_agents.commands.{name}"), str(name))
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"stillwatch {version('stillwatch')}")
        raise typer.Exit


def stillwatch(
    *,
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Find distillation attacks on LLM APIs in real time."""


def main() -> None:
    """Run the command line; our own errors become one clear line, not a traceback."""
    try:
        command_line(sys.argv[1] if len(sys.argv) > 1 else None)()
    except StillwatchError as error:
        typer.echo(f"stillwatch: {error}", err=True)
        sys.exit(error.exit_code)
