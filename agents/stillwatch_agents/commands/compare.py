"""`stillwatch compare`: two configurations on one pass of the input, or one with a signal at a time removed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from stillwatch_schemas.errors import ConfigError
from stillwatch_streams.replay.comparison.ablation import ablate as run_ablation
from stillwatch_streams.replay.comparison.ablation import signals_to_remove
from stillwatch_streams.replay.comparison.ablation_result import Ablation
from stillwatch_streams.replay.comparison.compare import Contender
from stillwatch_streams.replay.comparison.compare import compare as run_compare
from stillwatch_streams.replay.comparison.result import Comparison
from stillwatch_streams.replay.comparison.settings import refuse_incomparable
from stillwatch_streams.replay.comparison.text import ablation_lines, comparison_lines
from stillwatch_streams.replay.reading import Input, Progress
from stillwatch_streams.replay.stopping import StopFlag, stop_on_signals
from stillwatch_streams.settings import Settings
from stillwatch_streams.settings_file import ENV_FILE, load_settings

from stillwatch_agents.commands.input import read_input, with_format
from stillwatch_agents.commands.long_run import calm_collector, exit_unless_whole, progress_bar
from stillwatch_agents.commands.options import (
    AsJson,
    EventLabels,
    Format,
    From,
    Jobs,
    Labels,
    Out,
    Partitions,
    To,
    Verdicts,
)

DEFAULT = "default"
"""Stands for the shipped settings where a configuration file is expected."""


def compare(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="A.toml B.toml SOURCE...",
            help="Two configuration files (`default`: the shipped settings), then files or a topic as for replay."
            " With --ablate one configuration file, then the sources.",
        ),
    ],
    *,
    out: Out,
    labels: Labels = None,
    event_labels: EventLabels = None,
    verdicts: Verdicts = None,
    start: From = "",
    end: To = "",
    form: Format = None,
    partitions: Partitions = None,
    jobs: Jobs = 1,
    ablate: Annotated[
        bool, typer.Option("--ablate", help="Take one configuration and remove one signal at a time; needs --labels.")
    ] = False,
    signal: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="With --ablate, remove only this one; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run two configurations on one pass of the same events and tell what differs: alerts, recall, leaks, false alarms.

    Both see the very same events, read once. Each writes its replay files into OUT/a and OUT/b.

    With --ablate, one configuration runs with every signal and once without each: OUT/all, OUT/without-<signal>.

    Example: stillwatch compare default strict.toml events.jsonl.zst --labels labels.csv --out out/compare

    Example: stillwatch compare --ablate default events.jsonl.zst --labels labels.csv --out out/ablation
    """
    if ablate and not labels:
        raise ConfigError("--ablate needs --labels: it measures what each signal is worth")
    if signal and not ablate:
        raise ConfigError("--signal needs --ablate: it names what to remove")
    names, sources = _split(arguments, 1 if ablate else 2)
    settings = [with_format(_settings(name), form) for name in names]
    run = _ablation(settings, signal or []) if ablate else _comparison(settings, names)
    given = read_input(
        settings[0],
        sources,
        labels=labels,
        event_labels=event_labels,
        verdicts=verdicts,
        start=start,
        end=end,
        partitions=partitions,
        jobs=jobs,
    )
    with calm_collector(), stop_on_signals() as stop, progress_bar("compare") as watch:
        found, lines = run(given, Ends(out, stop, watch))
    typer.echo(msgspec.json.encode(found) if as_json else "\n".join(lines))
    exit_unless_whole(found)


class Ends(msgspec.Struct, frozen=True):
    """Where a run writes, what may stop it, and who watches."""

    out: Path
    stop: StopFlag
    watch: Progress


Run = Callable[[Input, Ends], tuple[Comparison | Ablation, Iterator[str]]]
"""Returns what was found, and the lines that tell it."""


def _comparison(settings: list[Settings], names: list[str]) -> Run:
    refuse_incomparable(settings, names)
    one, other = (Contender(name, each.engine) for name, each in zip(names, settings, strict=True))

    def run(given: Input, ends: Ends) -> tuple[Comparison, Iterator[str]]:
        found = run_compare(given, ends.out, (one, other), stop=ends.stop, progress=ends.watch)
        return found, comparison_lines(found, ends.out)

    return run


def _ablation(settings: list[Settings], signals: list[str]) -> Run:
    config = settings[0].engine
    remove = signals_to_remove(config, signals)

    def run(given: Input, ends: Ends) -> tuple[Ablation, Iterator[str]]:
        found = run_ablation(given, ends.out, config, remove, stop=ends.stop, progress=ends.watch)
        return found, ablation_lines(found, ends.out)

    return run


def _split(arguments: list[str], configurations: int) -> tuple[list[str], list[str]]:
    """Configurations and sources; a SOURCE where a configuration should be is the likely slip."""
    usage = "A.toml B.toml SOURCE..." if configurations > 1 else "--ablate A.toml SOURCE..."
    names, sources = arguments[:configurations], arguments[configurations:]
    for name in names:
        if name != DEFAULT and not name.endswith(".toml"):
            raise ConfigError(
                f"{name} is no configuration: compare wants {usage}, where `{DEFAULT}` stands for the shipped settings"
            )
    if not sources:
        raise ConfigError(f"no SOURCE after {' '.join(names)}: compare wants {usage}")
    return names, sources


def _settings(name: str) -> Settings:
    """A file's settings; `default` ignores the file that the environment names, but not its other variables."""
    environ = {key: value for key, value in os.environ.items() if key != ENV_FILE}
    return load_settings(None if name == DEFAULT else name, environ)
