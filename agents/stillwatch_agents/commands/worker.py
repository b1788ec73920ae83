"""`stillwatch worker`: the live service."""

from __future__ import annotations

from typing import Annotated

import typer
from stillwatch_streams.logs import configure_logs
from stillwatch_streams.parent_death import die_with_parent
from stillwatch_streams.settings import Settings
from stillwatch_streams.settings_file import load_settings
from stillwatch_streams.supervisor import Supervisor, child_command

from stillwatch_agents.commands.options import ConfigFile


def worker(
    *,
    config: ConfigFile = None,
    reset_state: Annotated[
        bool, typer.Option("--reset-state", help="Forget all detector state, go on from the committed offsets.")
    ] = False,
    unsupervised: Annotated[
        bool, typer.Option("--unsupervised", help="Run the worker itself, without a parent that starts it again.")
    ] = False,
) -> None:
    """Read requests from Kafka, publish alerts and directives. Stops on Ctrl-C or SIGTERM after a last checkpoint.

    Example: STILLWATCH_BROKER__BOOTSTRAP=kafka:9092 stillwatch worker
    """
    settings = load_settings(config)
    configure_logs(settings.logging)
    if unsupervised:
        die_with_parent()
        raise typer.Exit(_run(settings, reset_state=reset_state))
    options = ["--config", config] if config else []
    first = Supervisor(child_command(["worker", *options, *(["--reset-state"] if reset_state else [])]))
    raise typer.Exit(first.run())


def _run(settings: Settings, *, reset_state: bool) -> int:
    """Imported here: the engine brings SciPy and River along, which no other command should wait for."""
    from stillwatch_streams.worker_process import run_worker  # noqa: PLC0415 - see above

    from stillwatch_agents.worker import make_agents  # noqa: PLC0415 - see above

    return run_worker(settings, make_agents, reset_state=reset_state)
