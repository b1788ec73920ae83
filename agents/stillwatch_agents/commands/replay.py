"""`stillwatch replay`: historic events through the live detector, results and evaluation into a folder."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

import msgspec
import typer
from stillwatch_streams.replay.publish import TopicSink
from stillwatch_streams.replay.run import Job
from stillwatch_streams.replay.run import replay as run_replay
from stillwatch_streams.replay.stopping import stop_on_signals
from stillwatch_streams.replay.summary_text import summary_lines
from stillwatch_streams.settings import Settings
from stillwatch_streams.settings_file import load_settings

from stillwatch_agents.commands.input import read_input, with_format
from stillwatch_agents.commands.long_run import calm_collector, exit_unless_whole, progress_bar
from stillwatch_agents.commands.options import (
    AsJson,
    ConfigFile,
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


def replay(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help=".jsonl, .jsonl.gz, .jsonl.zst, .parquet or kafka://host:port/topic"),
    ],
    *,
    out: Out,
    config: ConfigFile = None,
    labels: Labels = None,
    event_labels: EventLabels = None,
    verdicts: Verdicts = None,
    start: From = "",
    end: To = "",
    form: Format = None,
    partitions: Partitions = None,
    jobs: Jobs = 1,
    publish_to: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Also write alerts and directives to this broker's topics.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Run historic events through the detector as if live, and write alerts, directives, scores and a report.

    Several files are merged by event time. Ctrl-C stops early with complete files. Nothing is published without
    --publish-to.

    Example: stillwatch replay events.jsonl.zst --labels labels.csv --out out/replay
    """
    settings = with_format(load_settings(config), form)
    given = read_input(
        settings,
        sources,
        labels=labels,
        event_labels=event_labels,
        verdicts=verdicts,
        start=start,
        end=end,
        partitions=partitions,
        jobs=jobs,
    )
    job = Job(**msgspec.structs.asdict(given), config=settings.engine, out=out)
    with (
        calm_collector(),
        stop_on_signals() as stop,
        progress_bar("replay") as watch,
        _publisher(settings, publish_to) as publisher,
    ):
        summary = run_replay(job, stop=stop, progress=watch, publisher=publisher)
    typer.echo(msgspec.json.encode(summary) if as_json else "\n".join(summary_lines(summary, out)))
    exit_unless_whole(summary)


def _publisher(settings: Settings, bootstrap: str) -> TopicSink | nullcontext[None]:
    return TopicSink(settings, bootstrap) if bootstrap else nullcontext()
