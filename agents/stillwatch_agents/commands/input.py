"""From command-line options to what replay and compare read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
from stillwatch_schemas.errors import ConfigError
from stillwatch_streams.ingest import ingest_for
from stillwatch_streams.kafka_options import client_options
from stillwatch_streams.replay.labels import read_attack_events, read_labels
from stillwatch_streams.replay.reading import Input
from stillwatch_streams.replay.verdicts import read_verdicts
from stillwatch_streams.settings import Settings
from stillwatch_streams.sources import KafkaSource, open_source
from stillwatch_streams.sources.times import parse_range


def with_format(settings: Settings, form: Literal["native", "litellm"] | None) -> Settings:
    """The settings with `--format`, where it was given."""
    if form is None:
        return settings
    return msgspec.structs.replace(settings, source=msgspec.structs.replace(settings.source, format=form))


def read_input(
    settings: Settings,
    sources: Sequence[str],
    *,
    labels: Path | None,
    event_labels: Path | None,
    verdicts: Path | None,
    start: str,
    end: str,
    partitions: int | None,
    jobs: int,
) -> Input:
    """Open the sources and read the labels; ConfigError or SourceError names what is wrong."""
    if event_labels and not labels:
        raise ConfigError("--event-labels needs --labels: which accounts distil")
    between = parse_range(start or None, end or None)
    skew_ms = round(settings.source.allowed_skew_seconds * 1_000)
    options = client_options(settings.broker)
    opened = [open_source(spec, between, kafka_options=options, margin_ms=skew_ms) for spec in sources]
    return Input(
        sources=opened,
        ingest=ingest_for(settings.source, has_broker_time=isinstance(opened[0], KafkaSource)),
        partitions=partitions or settings.source.partitions,
        jobs=jobs,
        settings=settings.source,
        between=between,
        verdicts=read_verdicts(verdicts) if verdicts else (),
        labels=read_labels(labels) if labels else None,
        attack_events=read_attack_events(event_labels) if event_labels else None,
    )
