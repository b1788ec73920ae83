"""Brokers for tests: Apache Kafka where it can be had, else the embedded one; pytest's summary says which and why.

`STILLWATCH_TEST_BROKER=embedded` or `=kafka` decides by hand; with `kafka`, a machine without it fails the tests
instead of falling back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest
from stillwatch_streams.embedded import EmbeddedBroker
from support.kafka_jars import KafkaUnavailableError, jars, java_home_or_path
from support.kafka_node import KafkaNode

SWITCH = "STILLWATCH_TEST_BROKER"
_CHOICES = ("", "embedded", "kafka")
_REPORT = pytest.StashKey[str]()


class Broker(Protocol):
    """What a test may know of its broker."""

    @property
    def kind(self) -> str:
        """`apache-kafka` or `embedded`."""

    @property
    def version(self) -> str:
        """Name and version for people."""

    @property
    def bootstrap(self) -> str:
        """`host:port`."""


class Choice(msgspec.Struct, frozen=True):
    """Which broker tests use, and the reason in words."""

    kafka: bool
    why: str

    def open(self, folder: Path) -> AbstractContextManager[Broker]:
        """A broker of the chosen kind, started on entry and gone with its data on exit."""
        return KafkaNode(folder) if self.kafka else EmbeddedBroker()


def choose(switch: str) -> Choice:
    """Decide by the switch's value and by what this machine has (Maven fetches the jars here if need be)."""
    if switch not in _CHOICES:
        raise pytest.UsageError(f"{SWITCH}={switch!r}: write embedded or kafka, or leave it unset.")
    if switch == "embedded":
        return Choice(kafka=False, why=f"{SWITCH} says so")
    try:
        java_home_or_path()
        jars()
    except KafkaUnavailableError as reason:
        if switch == "kafka":
            raise pytest.UsageError(f"{SWITCH}=kafka, but {reason}.") from reason
        return Choice(kafka=False, why=f"Apache Kafka can't be had: {reason}")
    return Choice(kafka=True, why=f"{SWITCH} says so" if switch else "Java and the broker's jars are here")


@pytest.fixture(scope="session")
def broker_choice(request: pytest.FixtureRequest) -> Choice:
    """Decide once, when the first test needs a broker."""
    choice = choose(os.environ.get(SWITCH, ""))
    request.config.stash[_REPORT] = f"{'Apache Kafka' if choice.kafka else 'embedded broker'} ({choice.why})"
    return choice


@pytest.fixture(scope="session")
def broker(
    broker_choice: Choice, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Broker]:
    """One broker for the whole run: use `unique()` names for topics and groups."""
    with broker_choice.open(tmp_path_factory.mktemp("broker")) as running:
        request.config.stash[_REPORT] = f"{running.version} ({broker_choice.why})"
        yield running


@pytest.fixture
def fresh_broker(broker_choice: Choice, tmp_path: Path) -> Iterator[Broker]:
    """A broker for this test alone (about 4 s on Apache Kafka), for tests that use the well-known topic names."""
    with broker_choice.open(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def durable_broker(broker_choice: Choice, tmp_path: Path) -> Iterator[KafkaNode]:
    """A Kafka node for this test alone that keeps its data over a restart; skips where there is none."""
    if not broker_choice.kafka:
        pytest.skip(f"needs a broker that keeps data over a restart ({broker_choice.why})")
    with KafkaNode(tmp_path / "kafka") as node:
        yield node


@pytest.fixture(scope="session")
def embedded_broker() -> Iterator[EmbeddedBroker]:
    """The embedded broker for the whole run, whatever else is there."""
    with EmbeddedBroker() as running:
        yield running


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In one of several test processes: tell the main one which broker was used."""
    told = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["broker"] = session.config.stash.get(_REPORT, "")


@pytest.hookimpl(optionalhook=True)  # pytest-xdist's own; runs with one process have no such hook
def pytest_testnodedown(node: Any) -> None:
    """In the main process: a test process has ended."""
    told = getattr(node, "workeroutput", {}).get("broker")
    if told:
        node.config.stash[_REPORT] = told


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say in one line which broker the run used."""
    terminalreporter.write_line(f"broker: {config.stash.get(_REPORT, 'none was needed')}")
