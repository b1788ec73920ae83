"""Topics on the broker: make those of the table, and say how what exists differs from it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code
from stillwatch_schemas.errors import BrokerError
from stillwatch_schemas.topics import Topic

from stillwatch_streams.publisher import unreachable
from stillwatch_streams.settings import Settings
from stillwatch_streams.topic_names import TopicNames

_EXISTS = 36


class TopicState(msgspec.Struct, frozen=True, kw_only=True):
    """One topic of the table as it is on the broker."""

    topic: Topic
    partitions: int
    """0: it does not exist."""
    problems: tuple[str, ...] = ()
    """What differs from the table, each with the way to mend it."""


@asynccontextmanager
async def admin_client(options: dict[str, Any]) -> AsyncIterator[Any]:
    """A connected admin client; BrokerError when there is no broker."""
    admin = AIOKafkaAdminClient(**options)
    try:
        await admin.start()
    except (KafkaError, OSError) as error:
        await admin.close()
        raise unreachable(options, error) from error
    try:
        yield admin
    finally:
        await admin.close()


async def partition_counts(admin: Any, names: Sequence[str]) -> dict[str, int]:
    """Partitions of each topic that exists."""
    found = {topic: len(parts) for topic, parts in (await _describe(admin, names)).items()}
    return {name: found[name] for name in names if name in found}


async def create_topics(admin: Any, settings: Settings) -> list[tuple[str, bool]]:
    """Create what is missing; (name, was created) of every topic in the table's order."""
    names = TopicNames(settings)
    partitions = await _co_partitions(admin, settings, names)
    outcome = []
    for topic in names.table():
        wanted = NewTopic(
            topic.name,
            partitions if topic.co_partitioned else 1,
            settings.service.replication_factor,
            topic_configs=topic.config(),
        )
        answer = await admin.create_topics([wanted])
        _, code, *text = answer.topic_errors[0]
        if code not in (0, _EXISTS):
            reason = text[0] if text and text[0] else for_code(code).__name__
            raise BrokerError(f"The broker refused to create topic {topic.name}: {reason}.")
        outcome.append((topic.name, code == 0))
    return outcome


async def topic_states(admin: Any, settings: Settings) -> list[TopicState]:
    """Every topic of the table, compared with the broker's."""
    names = TopicNames(settings)
    table = names.table()
    counts = await partition_counts(admin, [topic.name for topic in table])
    source = counts.get(names.requests, 0)
    states = []
    for topic in table:
        count = counts.get(topic.name, 0)
        problems = _count_problems(topic, count, source)
        if count:
            problems += await _config_problems(admin, topic)
        states.append(TopicState(topic=topic, partitions=count, problems=tuple(problems)))
    return states


async def _co_partitions(admin: Any, settings: Settings, names: TopicNames) -> int:
    """The request topic's own number of partitions where it exists, else the setting."""
    counts = await partition_counts(admin, [names.requests])
    return counts.get(names.requests, settings.source.partitions)


async def _describe(admin: Any, names: Sequence[str]) -> dict[str, Sequence[Any]]:
    """Topic → partitions. Lists all topics first: asking for an unknown one would create it on some brokers."""
    present = set(await admin.list_topics())
    wanted = [name for name in names if name in present]
    if not wanted:
        return {}
    return {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics(wanted)}


def _count_problems(topic: Topic, count: int, source: int) -> list[str]:
    if not count:
        return ["it doesn't exist: stillwatch topics create"]
    if topic.co_partitioned and source and count != source:
        why = f"it has {count} partitions but the request topic has {source}: they must agree"
        return [f"{why}. Delete it while no worker runs, then: stillwatch topics create"]
    return []


async def _config_problems(admin: Any, topic: Topic) -> list[str]:
    wanted = topic.config()
    try:
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name)])
    except (KafkaError, AttributeError, IndexError) as error:
        return [f"its configuration can't be read ({error!r}): allow DescribeConfigs, or compare by hand"]
    entries = {entry[0]: entry[1] for answer in answers for resource in answer.resources for entry in resource[4]}
    policy = "cleanup.policy"
    if policy in entries and entries[policy] != wanted[policy]:
        mend = f"kafka-configs.sh --alter --topic {topic.name} --add-config {policy}={wanted[policy]}"
        return [f"its {policy} is {entries[policy]}, not {wanted[policy]}: {mend}"]
    return []
