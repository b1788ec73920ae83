"""`stillwatch topics`, `doctor` and `dlq` against a broker: what they find, what they say, how they exit."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stillwatch_schemas.codec import encode_request
from support.brokers import Broker
from support.builders import make_event
from support.kafka_io import Message, create_topics, produce
from support.live import Live

pytestmark = pytest.mark.kafka


async def stillwatch(live: Live, *arguments: str) -> tuple[int, str]:
    """Run the command line; exit code and output: all that a person sees, what a machine reads with `--json`."""
    command = [sys.executable, "-m", "stillwatch_agents", *arguments]
    done = await asyncio.to_thread(subprocess.run, command, env=os.environ | live.env, capture_output=True, text=True)
    return done.returncode, done.stdout if "--json" in arguments else done.stdout + done.stderr


async def test_doctor_finds_missing_topics_and_then_nothing(broker: Broker, tmp_path: Path) -> None:
    live = Live(broker, tmp_path, STILLWATCH_BROKER__SASL_PASSWORD="hunter2")  # noqa: S106 - must not be printed
    code, text = await stillwatch(live, "doctor")
    assert code == 1
    assert "stillwatch topics create" in " ".join(text.split())
    assert "hunter2" not in text
    assert (await stillwatch(live, "topics", "create"))[0] == 0
    code, text = await stillwatch(live, "doctor", "--json")
    answer = json.loads(text)
    assert code == 0, answer["checks"]
    assert {check["outcome"] for check in answer["checks"]} == {"ok"}
    assert answer["settings"]["broker.sasl_password"] == "***"  # noqa: S105 - the mask


async def test_a_topic_with_another_partition_count_is_found(broker: Broker, tmp_path: Path) -> None:
    live = Live(broker, tmp_path)
    await create_topics(broker.bootstrap, [live.names.alerts], partitions=3)
    await live.create_topics()
    code, text = await stillwatch(live, "topics", "check", "--json")
    problems = {topic["name"]: topic["problems"] for topic in json.loads(text)}
    assert code == 1
    assert "3 partitions but the request topic has 2" in problems.pop(live.names.alerts)[0]
    assert set(map(tuple, problems.values())) == {()}


async def test_doctor_without_a_broker_says_so(broker: Broker, tmp_path: Path) -> None:
    live = Live(broker, tmp_path)
    live.env["STILLWATCH_BROKER__BOOTSTRAP"] = "127.0.0.1:1"
    code, text = await stillwatch(live, "doctor", "--json")
    outcomes = {check["check"]: check["outcome"] for check in json.loads(text.splitlines()[0])["checks"]}
    assert code == 1
    assert (outcomes["broker"], outcomes["topics"]) == ("problem", "skipped")


async def test_dead_letters_are_listed_shown_and_redriven(broker: Broker, tmp_path: Path) -> None:
    live = await Live(broker, tmp_path, STILLWATCH_SOURCE__ALLOWED_SKEW_SECONDS="60").create_topics()
    now = time.time_ns() // 1_000_000
    old = make_event(ts=now - 3_600_000)
    await produce(broker.bootstrap, live.names.requests, [Message(value=encode_request(old), key=b"k", partition=1)])
    with live.worker() as worker:
        await worker.ready()
        deadline = time.monotonic() + 30
        while not await live.read(live.names.dlq(live.names.requests)):
            assert time.monotonic() < deadline, live.log_tail()
            await asyncio.sleep(0.2)
        assert worker.stop() == 0
    code, text = await stillwatch(live, "dlq", "list", "--json", "--code", "forged_time")
    letters = json.loads(text)
    assert code == 0
    assert [(letter["topic"], letter["partition"], letter["offset"]) for letter in letters] == [
        (live.names.requests, 1, 0)
    ]
    code, text = await stillwatch(live, "dlq", "show", letters[0]["place"])
    assert code == 0
    assert "allowed is 60000 ms" in text
    assert (await stillwatch(live, "dlq", "redrive"))[1].startswith("1 would be sent")
    assert len(await live.read(live.names.requests)) == 1
    assert (await stillwatch(live, "dlq", "redrive", "--yes"))[1].startswith("1 sent")
    first, second = await live.read(live.names.requests)
    assert (first.key, first.value) == (second.key, second.value)
