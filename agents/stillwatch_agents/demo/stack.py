"""The real programs behind the demo: broker (embedded or yours), topics, worker, gateway."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import msgspec
from stillwatch_models.config import EngineConfig
from stillwatch_schemas import signing
from stillwatch_schemas.errors import BrokerError, StillwatchError
from stillwatch_streams.embedded import EmbeddedBroker
from stillwatch_streams.kafka_admin import admin_client, create_topics
from stillwatch_streams.kafka_options import client_options
from stillwatch_streams.server_process import free_port
from stillwatch_streams.settings import Settings
from stillwatch_streams.settings_file import load_settings
from stillwatch_streams.topic_names import TopicNames

from stillwatch_agents.demo.processes import Children
from stillwatch_agents.demo.world import as_toml

READY_SECONDS = 60.0
PARTITIONS = 2
"""Few, because every partition measures an account against the accounts that it knows itself."""


class Stack:
    """The running system: where it is, and how its programs fare."""

    def __init__(
        self, settings: Settings, env: Mapping[str, str], folder: Path, children: Children, broker: str
    ) -> None:
        self.settings = settings
        self.names = TopicNames(settings)
        self.broker = broker
        """What the broker is, in words."""
        self.options = client_options(settings.broker)
        self.gateway_url = f"http://127.0.0.1:{free_port()}"
        self.worker_url = f"http://127.0.0.1:{settings.service.http_port}"
        self.children = children
        self._env = dict(env)
        self._folder = folder

    async def start(self) -> None:
        """Create the topics and start the programs; they may not be ready yet."""
        async with admin_client(self.options) as admin:
            await create_topics(admin, self.settings)
        # Unsupervised: the demo watches the worker itself, and a supervisor would load every library once more.
        worker = ["-m", "stillwatch_agents", "worker", "--unsupervised", "--config", str(_config(self._folder))]
        self.children.start("worker", worker, self._env)
        self.children.start("gateway", self._gateway_command(), self._env | self._gateway_env())

    async def ready(self, url: str) -> None:
        """Return when the program behind the URL says that it is ready; raises StillwatchError with its log's end."""
        deadline = time.monotonic() + READY_SECONDS
        async with aiohttp.ClientSession() as session:
            while not await _is_ready(session, url):
                self.children.check()
                if time.monotonic() > deadline:
                    raise StillwatchError(f"{url}/readyz was not ready within {READY_SECONDS:g} s: see {self._folder}")
                await asyncio.sleep(0.1)

    async def remove_topics(self) -> None:
        """Delete the demo's own topics from a broker that goes on living."""
        async with admin_client(self.options) as admin:
            await admin.delete_topics([topic.name for topic in self.names.table()])

    def _gateway_command(self) -> list[str]:
        port = self.gateway_url.rpartition(":")[2]
        key = str(self._folder / "policy.pub.pem")
        command = ["-m", "stillwatch_serving.gateway", "--port", port, "--trust-headers", "--node", "demo-gateway"]
        return [*command, "--bootstrap", self.settings.broker.bootstrap, "--public-key", key]

    def _gateway_env(self) -> dict[str, str]:
        prefix = self.settings.service.topic_prefix
        return {
            "STILLWATCH_SERVING__REQUESTS_TOPIC": self.names.requests,
            "STILLWATCH_SERVING__ENFORCEMENT_TOPIC": self.names.enforcement,
            "STILLWATCH_SERVING__ACKS_TOPIC": f"{prefix}llm.enforcement.acks.v1",
            # An idle gateway's heartbeats would make the history late before it is written, and live traffic is dense.
            "STILLWATCH_SERVING__HEARTBEAT_SECONDS": "3600",
        }


@contextlib.asynccontextmanager
async def running_stack(engine: EngineConfig, bootstrap: str | None) -> AsyncIterator[Stack]:
    """Start everything; on exit nothing is left: no process, no file, no topic on a broker of yours."""
    with contextlib.ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="stillwatch-demo-")))
        if bootstrap is None:
            broker = cleanup.enter_context(EmbeddedBroker())
            address, described, prefix = broker.bootstrap, f"embedded {broker.version}, memory only", ""
        else:
            address, described, prefix = bootstrap, f"Kafka at {bootstrap}", f"stillwatch-demo-{secrets.token_hex(3)}."
        env = _environment(yours=bootstrap is not None)
        settings = _settings(folder, engine, address, prefix, env)
        children = cleanup.enter_context(Children(folder))
        stack = Stack(settings, env, folder, children, described)
        try:
            await stack.start()
            yield stack
        finally:
            await asyncio.to_thread(children.stop)
            if bootstrap is not None:
                with contextlib.suppress(BrokerError):
                    await stack.remove_topics()


def _environment(*, yours: bool) -> dict[str, str]:
    """The children's environment: of our own variables only those that say how to reach a broker of yours."""
    kept = "STILLWATCH_BROKER__"
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("STILLWATCH_") or (yours and name.startswith(kept) and name != f"{kept}BOOTSTRAP")
    }


def _settings(folder: Path, engine: EngineConfig, bootstrap: str, prefix: str, env: Mapping[str, str]) -> Settings:
    """Write keys and the settings file that worker and demo read."""
    key = signing.generate_key()
    signing.save_private_key(key, folder / "policy.pem")
    signing.save_public_key(key, folder / "policy.pub.pem")
    service = {
        "app_id": f"{prefix}stillwatch",
        "topic_prefix": prefix,
        "http_port": free_port(),
        "datadir": str(folder),
    }
    document = "\n".join(
        [
            as_toml("broker", {"bootstrap": bootstrap}),
            as_toml("source", {"partitions": PARTITIONS}),
            as_toml("service", service),
            as_toml("enforcement", {"signing_key_path": str(folder / "policy.pem")}),
            as_toml("logging", {"format": "json"}),
            as_toml("engine", msgspec.to_builtins(engine)),
        ]
    )
    _config(folder).write_text(document)
    return load_settings(str(_config(folder)), env)


def _config(folder: Path) -> Path:
    return folder / "stillwatch.toml"


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    with contextlib.suppress(aiohttp.ClientError, OSError):
        async with session.get(f"{url}/readyz") as response:
            return response.status == 200  # noqa: PLR2004  # HTTP's own
    return False
