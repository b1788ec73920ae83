"""aiokafka's consumer and producer with River in a plain loop; windows in a dictionary, nothing durable but offsets."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from peers.aiokafka_consume import MOST_RECORDS
from peers.job import Job, Meter
from peers.work import ALERT_ABOVE, WINDOW_MS, features, new_forest

COMMIT_SECONDS = 1.0


class Loop:
    """The work on one event."""

    def __init__(self) -> None:
        self._forest = new_forest()
        self._windows: dict[str, tuple[int, int, int]] = {}

    def __call__(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """The alert, if any."""
        account, window = event["account_id"], event["ts"] // WINDOW_MS
        seen, requests, tokens = self._windows.get(account, (window, 0, 0))
        if seen != window:
            requests, tokens = 0, 0
        requests, tokens = requests + 1, tokens + event["input_tokens"] + event["output_tokens"]
        self._windows[account] = (window, requests, tokens)
        row = features(event["input_tokens"], event["output_tokens"], event["latency_ms"], requests, tokens)
        score = self._forest.score_one(row)
        self._forest.learn_one(row)
        if score > ALERT_ABOVE:
            return {"event_id": event["event_id"], "account_id": account, "score": score}
        return None


async def loop(job: Job, meter: Meter) -> None:
    """Consume, work, produce; alerts are acknowledged before their offsets are committed."""
    consumer = AIOKafkaConsumer(
        job.topic,
        bootstrap_servers=job.bootstrap,
        group_id=job.name,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    producer = AIOKafkaProducer(bootstrap_servers=job.bootstrap, acks="all", linger_ms=5)
    await producer.start()
    await consumer.start()
    work, due = Loop(), time.monotonic() + COMMIT_SECONDS
    while True:
        fetched = await consumer.getmany(timeout_ms=200, max_records=MOST_RECORDS)
        for records in fetched.values():
            meter.begin()
            sent = []
            for record in records:
                alert = work(orjson.loads(record.value))
                if alert is not None:
                    key = alert["account_id"].encode()
                    sent.append(await producer.send(job.alerts, orjson.dumps(alert), key=key))
            await asyncio.gather(*sent)
            if time.monotonic() >= due:
                await consumer.commit()
                due = time.monotonic() + COMMIT_SECONDS
            meter.count(len(records))


def run(job: Job, meter: Meter) -> None:
    """Run until killed."""
    asyncio.run(loop(job, meter))
