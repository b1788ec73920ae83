"""`stillwatch replay`: historic events through the live detector, results and evaluation into a folder."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from stillwatch_schemas.errors import ConfigError
from stillwatch_streams.ingest import ingest_for
from stillwatch_streams.kafka_options import client_options
from stillwatch_streams.replay.labels import read_attack_events, read_labels
from stillwatch_streams.replay.publish import TopicSink
from stillwatch_streams.replay.run import Job
from stillwatch_streams.replay.run import Progress as Watch
from stillwatch_streams.replay.run import replay as run_replay
from stillwatch_streams.replay.stopping import stop_on_signals
from stillwatch_streams.replay.summary_text import summary_lines
from stillwatch_streams.settings import Settings
from stillwatch_streams.settings_file import load_settings
from stillwatch_streams.sources import KafkaSource, open_source
from stillwatch_streams.sources.times import parse_range

from stillwatch_agents.commands.options import AsJson, ConfigFile

Labels = Annotated[
    Path | None,
    typer.Option(help="Ground truth: account_id,label,archetype,campaign_id,family. Read for the evaluation only."),
]
EventLabels = Annotated[
    Path | None,
    typer.Option(help="Which events are attack exchanges: event_id,is_attack,campaign_id (.csv or .csv.gz)."),
]


def replay(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help=".jsonl, .jsonl.gz, .jsonl.zst, .parquet or kafka://host:port/topic"),
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder for the results; files in it are replaced.")],
    config: ConfigFile = None,
    labels: Labels = None,
    event_labels: EventLabels = None,
    start: Annotated[str, typer.Option("--from", help="First event time: ISO 8601 or epoch ms.")] = "",
    end: Annotated[str, typer.Option("--to", help="Event time to stop before.")] = "",
    form: Annotated[
        Literal["native", "litellm"] | None, typer.Option("--format", help="What the records are; default: settings.")
    ] = None,
    partitions: Annotated[
        int | None, typer.Option(min=1, help="Shards for files; default: settings. A topic brings its own.")
    ] = None,
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
    settings = _settings(config, form)
    between = parse_range(start or None, end or None)
    skew_ms = round(settings.source.allowed_skew_seconds * 1_000)
    options = client_options(settings.broker)
    opened = [open_source(spec, between, kafka_options=options, margin_ms=skew_ms) for spec in sources]
    job = Job(
        sources=opened,
        ingest=ingest_for(settings.source, has_broker_time=isinstance(opened[0], KafkaSource)),
        config=settings.engine,
        partitions=partitions or settings.source.partitions,
        out=out,
        between=between,
        labels=read_labels(labels) if labels else None,
        attack_events=read_attack_events(event_labels) if event_labels else None,
    )
    if event_labels and not labels:
        raise ConfigError("--event-labels needs --labels: which accounts distil")
    with _calm_collector(), stop_on_signals() as stop, _bar() as watch, _publisher(settings, publish_to) as publisher:
        summary = run_replay(job, stop=stop, progress=watch, publisher=publisher)
    typer.echo(msgspec.json.encode(summary) if as_json else "\n".join(summary_lines(summary, out)))
    if summary.error:
        typer.echo(f"stillwatch: {summary.error}", err=True)
        raise typer.Exit(2)
    if summary.interrupted:
        raise typer.Exit(1)


def _settings(config: str | None, form: Literal["native", "litellm"] | None) -> Settings:
    settings = load_settings(config)
    if form is None:
        return settings
    return msgspec.structs.replace(settings, source=msgspec.structs.replace(settings.source, format=form))


def _publisher(settings: Settings, bootstrap: str) -> TopicSink | nullcontext[None]:
    return TopicSink(settings, bootstrap) if bootstrap else nullcontext()


@contextmanager
def _calm_collector() -> Iterator[None]:
    """Let the cycle collector run rarely: nothing here makes cycles, and looking for them costs a tenth of the time."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextmanager
def _bar() -> Iterator[Watch]:
    """A progress bar on a terminal's stderr, with rate and time left; nothing elsewhere."""
    bar = Progress(
        TextColumn("replay"),
        BarColumn(),
        TaskProgressColumn(show_speed=False),
        TextColumn("{task.fields[events]:,} events"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    task = bar.add_task("replay", total=None, events=0, rate=0.0)

    def watch(done: int, size: int, events: int) -> None:
        elapsed = bar.tasks[0].elapsed or 1.0
        bar.update(task, completed=done, total=size, events=events, rate=events / max(elapsed, 1e-3))

    with bar:
        yield watch
