"""One Apache Kafka node (KRaft: broker and controller in one) on free loopback ports, for tests and by hand.

By hand, `make kafka-run` (or `PYTHONPATH=tests .venv/bin/python -m support.kafka_node --port 9092`) runs it in the
foreground until Ctrl-C, in a temporary folder that is removed afterwards.
"""

from __future__ import annotations

import argparse
import base64
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from stillwatch_streams.server_process import ServerProcess, free_port, require_free_port
from support.kafka_jars import jars, java_home_or_path, java_version, kafka_version

READY_SECONDS = 60.0
STOP_SECONDS = 20.0

# Small and quick to start rather than fast in the long run: one core's share, no big heap.
_JVM = ("-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xshare:auto")

_LOG4J = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""

_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",  # a misspelt topic shall fail, as in production
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",  # one worker; nobody to wait for
    "group.min.session.timeout.ms": "1000",
    "broker.session.timeout.ms": "1500",  # after kill() the new broker waits for the old one's session to end
    "broker.heartbeat.interval.ms": "300",
    "log.cleaner.dedupe.buffer.size": "16777216",  # the default of 128 MB does not fit the heap
    "log.cleaner.backoff.ms": "500",  # compaction within a test's patience
    "log.initial.task.delay.ms": "500",
    # Tests write record timestamps of long ago, which retention counts from: it would delete them while they are read.
    "log.retention.ms": "-1",
    "log.retention.check.interval.ms": "86400000",
}


class KafkaNode:
    """A single-node Kafka cluster whose data outlive `restart()` and `kill()`, and end with `close()`.

    `settings` override server properties. Raises KafkaUnavailableError where Java or the jars can't be had.
    """

    kind = "apache-kafka"
    durable = True

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        settings: Mapping[str, str] | None = None,
        cluster: uuid.UUID | None = None,
    ) -> None:
        self._cluster = cluster or uuid.uuid4()
        self._java = java_home_or_path()
        self._classpath = f"{jars()}/*"
        self._folder = folder
        self.version = f"Apache Kafka {kafka_version()}, Java {java_version(self._java)}"
        self.port = require_free_port(port) if port else free_port()
        self._controller_port = free_port()
        self._write_configuration(settings or {})
        self._server = ServerProcess(
            self.version, self._command("kafka.Kafka"), port=self.port, log=folder / "kafka.log"
        )

    @property
    def bootstrap(self) -> str:
        """`host:port` for clients."""
        return self._server.bootstrap

    @property
    def pid(self) -> int:
        """Process id of the JVM."""
        return self._server.pid

    def start(self) -> Self:
        """Format the storage if it is new, start, and return when the broker answers."""
        if not (self._folder / "data" / "meta.properties").exists():
            self._format()
        self._server.spawn()
        self._server.wait_ready(READY_SECONDS)
        return self

    def stop(self) -> None:
        """Stop in good order, keeping the data."""
        self._server.stop(STOP_SECONDS)

    def kill(self) -> None:
        """Stop as a power cut would, keeping what was written."""
        self._server.kill()

    def restart(self) -> None:
        """Stop in good order and start again with the same data on the same port."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop and forget the data."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _command(self, main_class: str, *arguments: str) -> list[str]:
        properties = str(self._folder / "server.properties")
        log4j = f"-Dlog4j2.configurationFile=file:{self._folder / 'log4j2.properties'}"
        return [self._java, *_JVM, log4j, "-cp", self._classpath, main_class, *(arguments or (properties,))]

    def _write_configuration(self, settings: Mapping[str, str]) -> None:
        own = {
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self._controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self._controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "log.dirs": str(self._folder / "data"),
        }
        lines = [f"{name}={value}\n" for name, value in (_SETTINGS | own | dict(settings)).items()]
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "server.properties").write_text("".join(lines))
        (self._folder / "log4j2.properties").write_text(_LOG4J)

    def _format(self) -> None:
        # With "=", as every 64th id begins with a dash and would be taken for an option.
        cluster = f"--cluster-id={base64.urlsafe_b64encode(self._cluster.bytes).decode().rstrip('=')}"
        arguments = ("format", "--standalone", cluster, "--config", str(self._folder / "server.properties"))
        subprocess.run(
            self._command("kafka.tools.StorageTool", *arguments),
            check=True,
            stdout=subprocess.DEVNULL,  # what goes wrong it says on standard error, which a failed test shows
            timeout=READY_SECONDS,
        )

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def main() -> None:
    """Run a node in the foreground, or with --check start and stop one; print what a person needs to know."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--check", action="store_true", help="start, say how long it took, stop")
    options = parser.parse_args()
    stopped = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopped.set())
    began = time.monotonic()
    with KafkaNode(Path(tempfile.mkdtemp(prefix="stillwatch-kafka-")), port=options.port) as node:
        took = time.monotonic() - began
        sys.stdout.write(f"{node.version} answers on {node.bootstrap} after {took:.1f} s (pid {node.pid})\n")
        sys.stdout.flush()
        if not options.check:
            stopped.wait()
    sys.stdout.write("stopped, its data removed\n")


if __name__ == "__main__":
    main()
