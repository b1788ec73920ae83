"""`stillwatch worker` as operators run it: a parent that starts a killed worker again, and stops it gently."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import psutil
import pytest
import stillwatch_agents
from support.brokers import Broker
from support.live import PATIENCE_SECONDS, Live

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

PROGRAM = str(Path(stillwatch_agents.__file__).with_name("__main__.py"))


async def test_a_killed_worker_comes_back_and_sigterm_ends_both(broker: Broker, tmp_path: Path) -> None:
    live = await Live(broker, tmp_path).create_topics()
    with live.worker("worker", program=PROGRAM) as worker:
        await worker.ready()
        assert worker.process is not None
        (child,) = psutil.Process(worker.process.pid).children()
        assert listening(child) == {("127.0.0.1", live.settings.service.http_port)}
        child.send_signal(signal.SIGKILL)
        await asyncio.to_thread(child.wait, 10)
        (second,) = await children(worker.process.pid)
        await worker.ready()
        assert await asyncio.to_thread(worker.stop) == 0, live.log_tail()
    assert not second.is_running()
    assert '"worker_ended"' in live.log_tail(20_000)


async def test_a_worker_does_not_outlive_its_parent(broker: Broker, tmp_path: Path) -> None:
    live = await Live(broker, tmp_path).create_topics()
    with live.worker("worker", program=PROGRAM) as worker:
        await worker.ready()
        assert worker.process is not None
        (child,) = psutil.Process(worker.process.pid).children()
        worker.kill()
    await asyncio.to_thread(child.wait, 30)
    assert '"stopped"' in live.log_tail()


async def test_missing_topics_are_named_and_not_tried_again(broker: Broker, tmp_path: Path) -> None:
    live = Live(broker, tmp_path)
    with live.worker("worker", program=PROGRAM) as worker:
        assert await worker.exit_code() == 2
    assert "stillwatch topics create" in live.log_tail()


def listening(process: psutil.Process) -> set[tuple[str, int]]:
    """Addresses the process listens on."""
    connections = process.net_connections("inet")
    return {(c.laddr.ip, c.laddr.port) for c in connections if c.status == psutil.CONN_LISTEN}


async def children(parent: int) -> list[psutil.Process]:
    """The parent's children, once there are any."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := psutil.Process(parent).children()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    return found
