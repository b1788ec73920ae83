"""`stillwatch dlq`: look at dead letters, and send them again once the cause is mended."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

import typer
from stillwatch_schemas.errors import ConfigError
from stillwatch_streams.dlq import Origin, origin_of, redrive_message
from stillwatch_streams.kafka_options import client_options
from stillwatch_streams.publisher import Publisher
from stillwatch_streams.settings import Settings
from stillwatch_streams.settings_file import load_settings
from stillwatch_streams.topic_names import CHECKPOINTS, TopicNames
from stillwatch_streams.topic_reader import read_topic

from stillwatch_agents.commands.options import AsJson, ConfigFile

dlq = typer.Typer(no_args_is_help=True, help="List, show and redrive dead letters.")

Agent = Annotated[
    str, typer.Option("--agent", help="Whose dead letters: account (requests), group, policy or feedback.")
]
Code = Annotated[str | None, typer.Option("--code", help="Only those with this reason, e.g. forged_time.")]
SHOWN_BYTES = 2_000


@dlq.command("list")
def list_letters(
    *,
    config: ConfigFile = None,
    agent: Agent = "account",
    code: Code = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, from the end.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List dead letters with reason and origin.

    Example: stillwatch dlq list --code forged_time --limit 20
    """
    letters = asyncio.run(_collect(load_settings(config), agent, code))[-limit:]
    if as_json:
        typer.echo(json.dumps([_facts(record, origin) for record, origin in letters]))
        return
    if not letters:
        typer.echo("No dead letters." if code is None else f"No dead letters with code {code}.")
    for record, origin in letters:
        place = f"{origin.topic}/{origin.partition}@{origin.offset}"
        typer.echo(f"{record.partition}@{record.offset}  {origin.code:<16} {place}  {origin.message}")


@dlq.command("show")
def show(
    place: Annotated[str, typer.Argument(help="partition@offset in the DLQ, as `list` prints it.")],
    *,
    config: ConfigFile = None,
    agent: Agent = "account",
) -> None:
    """Show one dead letter whole: headers, key, the beginning of the value.

    Example: stillwatch dlq show 0@17
    """
    for record, _ in asyncio.run(_collect(load_settings(config), agent, None)):
        if f"{record.partition}@{record.offset}" == place:
            for name, value in record.headers:
                typer.echo(f"{name}: {value.decode('utf-8', 'replace')}")
            typer.echo(f"key: {record.key!r}")
            typer.echo(f"value ({len(record.value or b'')} bytes): {(record.value or b'')[:SHOWN_BYTES]!r}")
            return
    raise ConfigError(
        f"There is no dead letter at {place} (partition@offset); `stillwatch dlq list` shows those there are."
    )


@dlq.command("redrive")
def redrive(
    *,
    config: ConfigFile = None,
    agent: Agent = "account",
    code: Code = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this, only say what would be sent.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters to the topic that they came from, with their own key and bytes. They stay in the DLQ.

    Example: stillwatch dlq redrive --code missing_field --yes
    """
    settings = load_settings(config)
    count = asyncio.run(_redrive(settings, agent, code, really=yes))
    if as_json:
        typer.echo(json.dumps({"letters": count, "sent": count if yes else 0}))
    else:
        typer.echo(f"{count} sent again." if yes else f"{count} would be sent again; add --yes to do it.")


async def _redrive(settings: Settings, agent: str, code: str | None, *, really: bool) -> int:
    letters = await _collect(settings, agent, code)
    if really and letters:
        async with Publisher(client_options(settings.broker)) as publisher:
            await publisher.send(redrive_message(record, origin) for record, origin in letters)
    return len(letters)


async def _collect(settings: Settings, agent: str, code: str | None) -> list[tuple[Any, Origin]]:
    """Dead letters of an agent's source in DLQ order, a partition at a time."""
    names = TopicNames(settings)
    if agent not in CHECKPOINTS:
        raise ConfigError(f"--agent is {agent!r}; allowed are {', '.join(CHECKPOINTS)}.")
    topic = names.dlq(names.source(agent))
    found = []
    async for record in read_topic(client_options(settings.broker), topic):
        origin = origin_of(record.headers)
        if origin is not None and origin.topic == names.source(agent) and code in (None, origin.code):
            found.append((record, origin))
    return found


def _facts(record: Any, origin: Origin) -> dict[str, Any]:
    return {
        "place": f"{record.partition}@{record.offset}",
        "topic": origin.topic,
        "partition": origin.partition,
        "offset": origin.offset,
        "code": origin.code,
        "message": origin.message,
        "bytes": len(record.value or b""),
    }
