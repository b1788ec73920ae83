"""Every metric, listed once, on a registry of our own. `docs/operations.md` says what to watch."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
AGENT = ("agent",)
"""account, group, campaign, policy or feedback."""
AT = ("agent", "partition")


class Metrics:
    """The worker's metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # Records that became items and were given to the shard (a record that is read again is counted again).
        self.events = self._counter("events", "Records decoded and processed", AGENT)
        # Records sent to the dead letter queue, by reason.
        self.dead_letters = self._counter("dead_letters", "Records sent to the DLQ", ("agent", "code"))
        # Records deleted by retention before they were read (only with source.on_lost_records = "skip").
        self.lost_records = self._counter("lost_records", "Records lost to retention", AGENT)
        # Fetches handed to agents.
        self.fetches = self._counter("fetches", "Fetches processed", AGENT)
        # Seconds of processing one fetch: decode, fold, publish, acknowledged.
        self.batch_seconds = self._histogram("batch_seconds", "Processing of one fetch", SECONDS)
        # Seconds between a record's timestamp and the end of its processing (last record of a fetch).
        self.latency_seconds = self._histogram("latency_seconds", "Record timestamp to processed", (*SECONDS, 30, 60))
        # Alerts, signals, directives and releases, once the broker has acknowledged them.
        self.published = self._counter("published", "Outputs acknowledged by the broker", ("agent", "kind"))
        # Records behind the end of the log.
        self.lag = self._gauge("lag_records", "Records not yet processed", AT)
        # Unix time of the last successful checkpoint (or of finding nothing to write).
        self.checkpoint_time = self._gauge("checkpoint_timestamp_seconds", "Last successful checkpoint", AT)
        # Seconds from planning a checkpoint to its offset commit.
        self.checkpoint_seconds = self._histogram("checkpoint_seconds", "Write and commit a checkpoint", SECONDS)
        # Bytes and rows written to the checkpoint topics.
        self.checkpoint_bytes = self._counter("checkpoint_bytes", "Bytes of checkpoints", AGENT)
        self.checkpoint_rows = self._counter("checkpoint_rows", "Rows of checkpoints", AGENT)
        # Rows and seconds of the last recovery of a partition.
        self.recovered_rows = self._gauge("recovered_rows", "Rows of the last recovery", AT)
        self.recovery_seconds = self._gauge("recovery_seconds", "Seconds of the last recovery", AT)
        # What a shard counts itself: accounts, panes closed, late events, evictions ...
        self.shard = self._gauge("shard", "Counted by the shard", (*AT, "name"))

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)

    def forget(self, agent: str, partition: int) -> None:
        """A partition that went to another worker must not stay in our gauges."""
        labels = {"agent": agent, "partition": str(partition)}
        for gauge in (self.lag, self.checkpoint_time, self.recovered_rows, self.recovery_seconds, self.shard):
            gauge.remove_by_labels(labels)

    def _counter(self, name: str, text: str, labels: Sequence[str]) -> Counter:
        return Counter(name, text, labels, namespace="stillwatch", registry=self.registry)

    def _gauge(self, name: str, text: str, labels: Sequence[str]) -> Gauge:
        return Gauge(name, text, labels, namespace="stillwatch", registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float]) -> Histogram:
        return Histogram(name, text, AGENT, namespace="stillwatch", registry=self.registry, buckets=buckets)
