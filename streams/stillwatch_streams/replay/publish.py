"""`--publish-to`: alerts and directives of a replay onto a broker's topics, as the live worker would write them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from aiokafka.errors import KafkaError
from stillwatch_models.shard import Outputs
from stillwatch_schemas.directives import Directive, Release
from stillwatch_schemas.errors import BrokerError
from stillwatch_schemas.findings import Finding
from stillwatch_schemas.signing import load_private_key, sign

from stillwatch_streams.kafka_options import client_options
from stillwatch_streams.outputs import Partitions, Router
from stillwatch_streams.publisher import Message, Publisher
from stillwatch_streams.settings import Settings
from stillwatch_streams.topic_names import TopicNames

FLUSH_MESSAGES = 500


class TopicSink:
    """A sink that writes to `llm.alerts.v1` and `llm.enforcement.v1` (under the settings' names and signing key)."""

    def __init__(self, settings: Settings, bootstrap: str) -> None:
        self._broker = msgspec.structs.replace(settings.broker, bootstrap=bootstrap)
        self._names = TopicNames(settings)
        self._key = Path(settings.enforcement.signing_key_path) if settings.enforcement.signing_key_path else None
        self._runner = asyncio.Runner()
        self._publisher = Publisher(client_options(self._broker))
        self._waiting: list[Message] = []

    def __enter__(self) -> Self:
        try:
            self._runner.run(self._publisher.__aenter__())
            self._router = self._runner.run(self._made())
        except BaseException:
            self._runner.close()
            raise
        return self

    def finding(self, finding: Finding) -> None:
        """One alert message."""
        self._put(Outputs(findings=[finding]))

    def directive(self, directive: Directive | Release) -> None:
        """One directive, or a tombstone."""
        self._put(Outputs(directives=[directive]))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._flush()
        finally:
            self._runner.run(self._publisher.__aexit__(kind, error, trace))
            self._runner.close()

    async def _made(self) -> Router:
        key = load_private_key(self._key) if self._key else None
        count = self._publisher.partitions
        partitions = Partitions(
            alerts=await count(self._names.alerts), signals=1, enforcement=await count(self._names.enforcement)
        )
        return Router(self._names, partitions, (lambda directive: sign(directive, key)) if key else None)

    def _put(self, outputs: Outputs) -> None:
        self._waiting += self._router.messages(outputs)
        if len(self._waiting) >= FLUSH_MESSAGES:
            self._flush()

    def _flush(self) -> None:
        messages, self._waiting = self._waiting, []
        try:
            self._runner.run(self._publisher.send(messages))
        except (KafkaError, OSError) as error:
            raise BrokerError(
                f"--publish-to {self._broker.bootstrap}: the broker refused a message: {error!r}"
            ) from error
