"""Quix Streams with River: a stateful function in a streaming dataframe, state in RocksDB with its changelog topic.

Its windowed aggregations return the aggregate and not the event, so the documentation's stateful `apply` fits better;
it is also the faster of the two. Commits every second. Idempotence is off for brokers that have none.
"""

from __future__ import annotations

from typing import Any

from quixstreams import Application, State

from peers.job import Job, Meter
from peers.work import ALERT_ABOVE, WINDOW_MS, features, new_forest


def run(job: Job, meter: Meter) -> None:
    """Run the application until killed."""
    app = Application(
        broker_address=job.bootstrap,
        consumer_group=job.name,
        auto_offset_reset="earliest",
        commit_interval=1.0,
        state_dir=job.folder,
        loglevel="WARNING",
        producer_extra_config={"enable.idempotence": False},
    )
    requests = app.topic(job.topic, value_deserializer="json")
    alerts = app.topic(job.alerts, value_serializer="json")
    forest = new_forest()

    def score_request(event: dict[str, Any], state: State) -> dict[str, Any]:
        meter.begin()
        window = event["ts"] // WINDOW_MS
        seen, count, tokens = state.get("window", (window, 0, 0))
        if seen != window:
            count, tokens = 0, 0
        count, tokens = count + 1, tokens + event["input_tokens"] + event["output_tokens"]
        state.set("window", (window, count, tokens))
        row = features(event["input_tokens"], event["output_tokens"], event["latency_ms"], count, tokens)
        score = forest.score_one(row)
        forest.learn_one(row)
        meter.count()
        return {"event_id": event["event_id"], "account_id": event["account_id"], "score": score}

    frame = app.dataframe(requests)
    frame = frame.apply(score_request, stateful=True)
    frame = frame[frame["score"] > ALERT_ABOVE]
    frame.to_topic(alerts)
    app.run()
