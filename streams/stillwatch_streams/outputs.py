"""What a shard wants published becomes Kafka messages: which topic, key, partition and bytes. Pure but for signing.

| output | topic | key | partition |
|---|---|---|---|
| finding | alerts | incident uid | murmur2(subject): one subject's incidents share a policy shard |
| contribution | signals | group | murmur2(group) |
| profile, samples | profiles | source partition | 0: accounts of all partitions are compared with each other |
| pane closed | signals | `source:<n>` | every one |
| directive | enforcement | `scope:subject` | by the key |
| release | enforcement | `scope:subject` | by the key; null value |
| verdict | requests, as a control record | subject | the shard that raised it, else murmur2(subject) |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
from stillwatch_models.shard import Outputs
from stillwatch_schemas.alerts import encode_alert
from stillwatch_schemas.codec import encode_directive, encode_profile, encode_signal, encode_verdict
from stillwatch_schemas.directives import Directive, Release
from stillwatch_schemas.findings import Finding
from stillwatch_schemas.signals import Contribution, ProfileSignal, Signal
from stillwatch_schemas.verdicts import VERDICT_HEADER, Verdict

from stillwatch_streams.partitioning import partition_of
from stillwatch_streams.publisher import Message
from stillwatch_streams.topic_names import TopicNames

CAMPAIGN_PARTITION = 0
"""All profiles go there: a campaign's accounts may be in any partition."""

Signer = Callable[[Directive], Directive]


class Partitions(msgspec.Struct, frozen=True, kw_only=True):
    """How many partitions the output topics have."""

    alerts: int
    signals: int
    enforcement: int
    requests: int = 1


class Router:
    """Turns outputs into messages."""

    def __init__(self, names: TopicNames, partitions: Partitions, sign: Signer | None = None) -> None:
        self._names = names
        self._partitions = partitions
        self._sign = sign

    def messages(self, outputs: Outputs) -> list[Message]:
        """The messages of one `process`, in the order in which they must be written."""
        messages = [self._alert(finding) for finding in outputs.findings]
        for signal in outputs.signals:
            messages += self._signal(signal)
        messages += [self._profile(signal) for signal in outputs.profiles]
        messages += [self._directive(directive) for directive in outputs.directives]
        return messages + [self._verdict(verdict) for verdict in outputs.verdicts]

    def counts(self, outputs: Outputs) -> Iterator[tuple[str, int]]:
        """How many of each kind, for the metrics."""
        releases = sum(isinstance(directive, Release) for directive in outputs.directives)
        yield "alert", len(outputs.findings)
        yield "signal", len(outputs.signals)
        yield "profile", len(outputs.profiles)
        yield "directive", len(outputs.directives) - releases
        yield "release", releases
        yield "verdict", len(outputs.verdicts)

    def _alert(self, finding: Finding) -> Message:
        return Message(
            topic=self._names.alerts,
            key=finding.uid.encode(),
            partition=partition_of(_key(finding.subject), self._partitions.alerts),
            value=encode_alert(finding),
        )

    def _signal(self, signal: Signal) -> list[Message]:
        value, topic, count = encode_signal(signal), self._names.signals, self._partitions.signals
        if isinstance(signal, Contribution):
            key = _key(signal.group)
            return [Message(topic=topic, key=key, partition=partition_of(key, count), value=value)]
        key = f"source:{signal.source}".encode()
        return [Message(topic=topic, key=key, partition=partition, value=value) for partition in range(count)]

    def _profile(self, signal: ProfileSignal) -> Message:
        key = f"source:{signal.source}".encode()
        return Message(topic=self._names.profiles, key=key, partition=CAMPAIGN_PARTITION, value=encode_profile(signal))

    def _verdict(self, verdict: Verdict) -> Message:
        """A control record where the judged shard reads: what analysts decide is part of the log."""
        key, count = _key(verdict.subject), self._partitions.requests
        known = verdict.shard is not None and verdict.shard < count
        return Message(
            topic=self._names.requests,
            key=key,
            partition=verdict.shard if known else partition_of(key, count),
            value=encode_verdict(verdict),
            headers=((VERDICT_HEADER, b"1"),),
        )

    def _directive(self, order: Directive | Release) -> Message:
        key = _key(order.key)
        partition = partition_of(key, self._partitions.enforcement)
        if isinstance(order, Release):
            return Message(topic=self._names.enforcement, key=key, partition=partition, value=None)
        signed = self._sign(order) if self._sign else order
        return Message(topic=self._names.enforcement, key=key, partition=partition, value=encode_directive(signed))


def _key(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
