"""`stillwatch directives`: what the serving tier is asked to do at this moment."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import msgspec
import typer
from stillwatch_schemas.codec import decode_directive
from stillwatch_schemas.directives import Directive
from stillwatch_schemas.errors import ContractError
from stillwatch_streams.kafka_options import client_options
from stillwatch_streams.settings import Settings
from stillwatch_streams.settings_file import load_settings
from stillwatch_streams.topic_names import TopicNames
from stillwatch_streams.topic_reader import read_topic

from stillwatch_agents.commands.lines import aligned
from stillwatch_agents.commands.options import AsJson, ConfigFile

COLUMNS = ("subject", "action", "mode", "for another", "signed", "incident", "reason")


def directives(
    *,
    subject: Annotated[str | None, typer.Option(help="Only those on this account, network or campaign.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List the directives that are in force: neither released nor run out. Signatures are not checked here.

    Example: stillwatch directives --subject acct-42 --json
    """
    now_ms = time.time_ns() // 1_000_000
    found = asyncio.run(live_directives(load_settings(config), now_ms))
    found = [directive for directive in found if subject in (None, directive.subject)]
    if as_json:
        typer.echo(msgspec.json.encode(found))
        return
    if not found:
        typer.echo("No directive is in force." if subject is None else f"No directive is in force on {subject}.")
        return
    typer.echo("\n".join(aligned([COLUMNS, *(_row(one, now_ms) for one in found)])))


async def live_directives(settings: Settings, now_ms: int) -> list[Directive]:
    """The latest directive of every key that is in force, by key."""
    latest: dict[bytes, Directive] = {}
    async for record in read_topic(client_options(settings.broker), TopicNames(settings).enforcement):
        if record.value is None:
            latest.pop(record.key, None)
            continue
        try:
            directive = decode_directive(record.value)
        except ContractError:
            continue  # the serving tier does not obey it either
        known = latest.get(record.key)
        if known is None or directive.revision > known.revision:
            latest[record.key] = directive
    return [latest[key] for key in sorted(latest) if latest[key].expires_at > now_ms]


def _row(one: Directive, now_ms: int) -> tuple[str, ...]:
    minutes = (one.expires_at - now_ms) // 60_000
    left = f"{minutes // 60} h {minutes % 60:02} min"
    return one.key, one.action, one.mode, left, "yes" if one.signature else "no", one.finding_uid, one.reason
