"""Metrics of a partition that has gone to another worker go too."""

from __future__ import annotations

from stillwatch_streams.metrics import Metrics


def test_a_revoked_partition_leaves_the_gauges() -> None:
    metrics = Metrics()
    for partition in ("0", "1"):
        metrics.lag.labels("account", partition).set(5)
        metrics.shard.labels("account", partition, "accounts").set(9)
    metrics.forget("account", 0)
    text = metrics.render().decode()
    assert 'stillwatch_lag_records{agent="account",partition="1"} 5.0' in text
    assert 'partition="0"' not in text
