"""Bytewax with River: a Kafka source, a stateful map by account, a Kafka sink, recovery snapshots every second.

Within a batch Bytewax lets the stateful step go from key to key, so the forest meets a batch's events in another order
than the topic's, and some scores differ. With batches of one record (`ordered`) they are the oracle's.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from peers.job import Job, Meter
from peers.work import ALERT_ABOVE, WINDOW_MS, features, new_forest

Window = tuple[int, int, int]
Counted = tuple[dict[str, Any], int, int]


def count(state: Window | None, event: dict[str, Any]) -> tuple[Window, Counted]:
    """The account's window, and the event with what the window holds."""
    window = event["ts"] // WINDOW_MS
    seen, requests, tokens = state or (window, 0, 0)
    if seen != window:
        requests, tokens = 0, 0
    requests, tokens = requests + 1, tokens + event["input_tokens"] + event["output_tokens"]
    return (window, requests, tokens), (event, requests, tokens)


def run(job: Job, meter: Meter) -> None:
    """Run the dataflow until killed."""
    forest = new_forest()

    def decode(message: Any) -> tuple[str, dict[str, Any]]:
        meter.begin()
        event = orjson.loads(message.value)
        return event["account_id"], event

    def score(keyed: tuple[str, Counted]) -> Any:
        account, (event, requests, tokens) = keyed
        row = features(event["input_tokens"], event["output_tokens"], event["latency_ms"], requests, tokens)
        score = forest.score_one(row)
        forest.learn_one(row)
        meter.count()
        if score <= ALERT_ABOVE:
            return None
        alert = {"event_id": event["event_id"], "account_id": account, "score": score}
        return KafkaSinkMessage(key=account.encode(), value=orjson.dumps(alert))

    flow = Dataflow("reference")
    stream = op.input(
        "requests", flow, KafkaSource([job.bootstrap], [job.topic], batch_size=1 if job.ordered else 1_000)
    )
    keyed = op.map("decode", stream, decode)
    counted = op.stateful_map("window", keyed, count)
    alerts = op.filter_map("score", counted, score)
    op.output("alerts", alerts, KafkaSink([job.bootstrap], job.alerts))
    folder = Path(job.folder)
    init_db_dir(folder, 1)
    cli_main(flow, epoch_interval=timedelta(seconds=1), recovery_config=RecoveryConfig(folder))
