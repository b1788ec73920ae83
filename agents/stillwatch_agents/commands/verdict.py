"""`stillwatch verdict`: say what an alert was, so that the detector acts on it and learns from it."""

from __future__ import annotations

import asyncio
import getpass
import time
from typing import Annotated, Any, Literal

import msgspec
import typer
from stillwatch_models.incidents import DISTILLATION, HARD_CEILING, derived_uid
from stillwatch_schemas.alerts import decode_finding
from stillwatch_schemas.codec import decode_verdict, encode_verdict
from stillwatch_schemas.errors import ConfigError, ContractError
from stillwatch_schemas.findings import Finding
from stillwatch_schemas.verdicts import Verdict
from stillwatch_streams.kafka_options import client_options
from stillwatch_streams.publisher import Message, Publisher
from stillwatch_streams.settings import Settings
from stillwatch_streams.settings_file import load_settings
from stillwatch_streams.topic_names import TopicNames
from stillwatch_streams.topic_reader import read_topic

from stillwatch_agents.commands.options import AsJson, ConfigFile

JUDGED = ("account", "campaign")
OF_ACCOUNT_SHARDS = (DISTILLATION, HARD_CEILING)
"""Kinds of incident whose `shard` is the request partition of the account."""


def verdict(
    finding_uid: Annotated[str, typer.Argument(help="The incident: `finding_info.uid` of its alerts.")],
    *,
    label: Annotated[
        Literal["benign", "distillation", "unsure"],
        typer.Option(help="benign closes the incident, distillation confirms it, unsure is only kept."),
    ],
    subject: Annotated[
        str | None, typer.Option(help="The account, where the alert itself is no longer in the topic.")
    ] = None,
    note: Annotated[str, typer.Option(help="Why; it stands in the alert that follows.")] = "",
    release: Annotated[bool, typer.Option("--release", help="End every directive on the subject at once.")] = False,
    analyst: Annotated[str, typer.Option(help="Who judges; default: the name you are logged in with.")] = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Publish a verdict on an incident. The alert that caused it is looked up for account, kind and shard.

    Example: stillwatch verdict 7f3a90c1 --label benign --note "our own nightly evaluation" --release
    """
    settings = load_settings(config)
    given = Verdict(
        verdict_id="-",
        finding_uid=finding_uid,
        subject=subject or "-",
        label=label,
        analyst=analyst or getpass.getuser(),
        at=time.time_ns() // 1_000_000,
        note=note,
        release=release,
    )
    published = asyncio.run(_publish(settings, given, looked_up=subject is None))
    if as_json:
        typer.echo(encode_verdict(published))
    else:
        typer.echo(f"{published.subject_kind} {published.subject}: {label}, verdict {published.verdict_id}")
        typer.echo("It takes effect when the detector's event time passes it; a release at once.")


async def _publish(settings: Settings, given: Verdict, *, looked_up: bool) -> Verdict:
    names, options = TopicNames(settings), client_options(settings.broker)
    facts = await _facts(settings, given.finding_uid) if looked_up else {}
    uid = derived_uid(given.finding_uid, given.label, given.analyst, given.at)
    ready = msgspec.structs.replace(given, verdict_id=uid, **facts)
    value = encode_verdict(ready)
    decode_verdict(value)  # what does not fit the contract should be told here, not end in the dead letters
    async with Publisher(options) as publisher:
        await publisher.send([Message(topic=names.verdicts, key=ready.finding_uid.encode(), value=value)])
    return ready


async def _facts(settings: Settings, uid: str) -> dict[str, Any]:
    """What a verdict repeats of the finding that it judges."""
    found = await find_alert(settings, uid)
    if found is None:
        raise ConfigError(
            f"There is no alert of incident {uid} in {TopicNames(settings).alerts}. An incident's uid is the"
            " `finding_info.uid` of its alerts; where retention has taken the alert, say --subject ACCOUNT."
        )
    if found.subject_kind not in JUDGED:
        raise ConfigError(
            f"Incident {uid} is about {found.subject_kind} {found.subject}; verdicts are on {' and '.join(JUDGED)}s."
        )
    return {
        "subject": found.subject,
        "subject_kind": found.subject_kind,
        "kind": found.kind,
        "shard": found.shard if found.kind in OF_ACCOUNT_SHARDS else None,
    }


async def find_alert(settings: Settings, uid: str) -> Finding | None:
    """The latest alert of an incident; None when there is none."""
    latest: Finding | None = None
    async for record in read_topic(client_options(settings.broker), TopicNames(settings).alerts):
        if record.key == uid.encode():
            try:
                latest = decode_finding(record.value)
            except ContractError:
                continue  # somebody else's record under this key: not an alert
    return latest
