"""`stillwatch topics`: the topics that Stillwatch needs, on your broker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import typer
from stillwatch_streams.kafka_admin import TopicState, admin_client, create_topics, topic_states
from stillwatch_streams.kafka_options import client_options
from stillwatch_streams.settings import Settings
from stillwatch_streams.settings_file import load_settings
from stillwatch_streams.topic_names import TopicNames

from stillwatch_agents.commands.lines import aligned
from stillwatch_agents.commands.options import AsJson, ConfigFile

T = TypeVar("T")

topics = typer.Typer(no_args_is_help=True, help="List, create and check the topics that Stillwatch needs.")


@topics.command("list")
def list_topics(*, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show the topics table. Asks no broker.

    Example: stillwatch topics list
    """
    table = TopicNames(load_settings(config)).table()
    if as_json:
        typer.echo(json.dumps([{"name": t.name, "key": t.key, "value": t.value, "config": t.config()} for t in table]))
        return
    rows = [
        (topic.name, topic.config()["cleanup.policy"], "as requests" if topic.co_partitioned else "1", topic.value)
        for topic in table
    ]
    typer.echo("\n".join(aligned([("topic", "cleanup", "partitions", "value"), *rows])))


@topics.command("create")
def create(*, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Create the topics that are missing; those that exist stay as they are.

    Example: STILLWATCH_BROKER__BOOTSTRAP=kafka:9092 stillwatch topics create
    """
    settings = load_settings(config)
    outcome = _with_admin(settings, lambda admin: create_topics(admin, settings))
    if as_json:
        typer.echo(json.dumps({name: "created" if made else "exists" for name, made in outcome}))
        return
    for name, made in outcome:
        typer.echo(f"{'created' if made else 'exists '}  {name}")


@topics.command("check")
def check(*, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Compare the broker's topics with the table; exit 1 and say how to mend what differs.

    Example: stillwatch topics check --json
    """
    settings = load_settings(config)
    states = _with_admin(settings, lambda admin: topic_states(admin, settings))
    if as_json:
        typer.echo(json.dumps([_as_dict(state) for state in states]))
    else:
        for state in states:
            line = f"{'PROBLEM' if state.problems else 'ok     '}  {state.topic.name}  {'; '.join(state.problems)}"
            typer.echo(line.rstrip())
    raise typer.Exit(int(any(state.problems for state in states)))


def _as_dict(state: TopicState) -> dict[str, Any]:
    return {"name": state.topic.name, "partitions": state.partitions, "problems": list(state.problems)}


def _with_admin(settings: Settings, work: Callable[[Any], Awaitable[T]]) -> T:
    async def run() -> T:
        async with admin_client(client_options(settings.broker)) as admin:
            return await work(admin)

    return asyncio.run(run())
