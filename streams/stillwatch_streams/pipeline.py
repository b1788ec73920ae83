"""What follows from the account shards, in one process: the shards that live workers run, joined as topics join them.

    account shards ──► findings ────────────────────────────────────────► policy shard of their subject ──► directives
           ├──► signals ──► group shard of their group ──► findings ──┤
           └──► profiles ──► the campaign shard ──► findings ─────────┘

Routes: a contribution goes to the signals partition of its group, the end of a pane to every signals partition, a
finding to the alerts partition of its subject.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

import msgspec
from stillwatch_models.accounts import AccountRow
from stillwatch_models.columns import Request
from stillwatch_models.shard import Batch, Outputs, Shard
from stillwatch_schemas.directives import Directive, Release
from stillwatch_schemas.events import Heartbeat
from stillwatch_schemas.findings import Finding
from stillwatch_schemas.signals import Contribution, ProfileSignal, Signal
from stillwatch_schemas.verdicts import Verdict

from stillwatch_streams.outputs import CAMPAIGN_PARTITION
from stillwatch_streams.partitioning import Partitioner

T = TypeVar("T")
Item = Request | Heartbeat | Verdict


class AccountShard(Shard[Item], Protocol):
    """An account engine: a shard that can also list its accounts."""

    def accounts(self) -> Iterable[AccountRow]:
        """Every account seen, each once."""
        ...


class CampaignShard(Shard[ProfileSignal], Protocol):
    """A campaign engine: a shard that can also list the members of its campaigns."""

    def accounts(self) -> Iterable[AccountRow]:
        """Every account of a campaign, with what membership makes of its score."""
        ...


class Engines(msgspec.Struct, frozen=True):
    """Makers of the shards, by partition."""

    account: Callable[[int], AccountShard]
    group: Callable[[int], Shard[Signal]]
    campaign: Callable[[int], CampaignShard]
    policy: Callable[[int], Shard[Finding]]


class Sink(Protocol):
    """Where results go: files in replay."""

    def finding(self, finding: Finding) -> None:
        """One alert message."""
        ...

    def directive(self, directive: Directive | Release) -> None:
        """One directive, or the end of one."""
        ...


class Lane(Generic[T]):
    """The partitions of one internal topic: each numbers its items as a topic would number records."""

    def __init__(self, make: Callable[[int], Shard[T]], partitions: int) -> None:
        self.shards = [make(partition) for partition in range(partitions)]
        self.partitioner = Partitioner(partitions)
        self._waiting: list[list[T]] = [[] for _ in range(partitions)]
        self._next = [0] * partitions

    def put(self, key: str, item: T) -> None:
        """Add an item to the partition of its key."""
        self._waiting[self.partitioner.of(key)].append(item)

    def put_everywhere(self, item: T) -> None:
        """Add an item to every partition."""
        for waiting in self._waiting:
            waiting.append(item)

    def run(self) -> Iterator[Outputs]:
        """Let every shard process what waits for it."""
        for partition, items in enumerate(self._waiting):
            if not items:
                continue
            first = self._next[partition]
            self._next[partition] = end = first + len(items)
            self._waiting[partition] = []
            yield self.shards[partition].process(Batch(items, list(range(first, end)), end))

    def finish(self) -> Iterator[Outputs]:
        """Close what is open in every shard."""
        for shard in self.shards:
            yield shard.finish()


class Pipeline:
    """Feed it what the account shards put out, partitions in any interleaving, and let it settle; then `finish` it."""

    def __init__(self, engines: Engines, partitions: int, sink: Sink) -> None:
        self._taken: list[list[Outputs]] = [[] for _ in range(partitions)]
        self._groups: Lane[Signal] = Lane(engines.group, partitions)
        self._campaigns = engines.campaign(CAMPAIGN_PARTITION)
        self._profiles: list[ProfileSignal] = []
        self._profiles_read = 0
        self._policies: Lane[Finding] = Lane(engines.policy, partitions)
        self._sink = sink

    def take(self, partition: int, made: Outputs) -> None:
        """What a source partition's account shard has made of a batch; what follows from it waits for `settle`."""
        self._taken[partition].append(made)

    def settle(self) -> None:
        """Everything that follows from what was taken since the last time, partition by partition."""
        for taken in self._taken:
            for outputs in taken:
                self._from_accounts(outputs)
            taken.clear()
            self._flow()

    def finish(self, ends: Iterable[Outputs]) -> None:
        """End of the input: take what account shards put out at their end, close group panes, decide a last time."""
        for outputs in ends:
            self._from_accounts(outputs)
        self._flow()
        for outputs in self._groups.finish():
            self._findings(outputs)
        self._findings(self._campaigns.finish())
        self._flow()
        for outputs in self._policies.finish():
            self._directives(outputs)

    def expire(self, now_ms: int) -> None:
        """Release the directives that have run out by this event time."""
        for shard in self._policies.shards:
            self._directives(shard.expire(now_ms))

    def campaign_accounts(self) -> Iterable[AccountRow]:
        """Every account of a campaign, with what membership makes of its score."""
        return self._campaigns.accounts()

    def _from_accounts(self, outputs: Outputs) -> None:
        self._findings(outputs)
        self._profiles += outputs.profiles
        groups = self._groups
        for signal in outputs.signals:
            if isinstance(signal, Contribution):
                groups.put(signal.group, signal)
            else:
                groups.put_everywhere(signal)

    def _flow(self) -> None:
        for outputs in self._groups.run():
            self._findings(outputs)
        self._compare()
        for outputs in self._policies.run():
            self._directives(outputs)

    def _compare(self) -> None:
        """Let the campaign shard read the profiles that came, numbered as its topic would number them."""
        if not self._profiles:
            return
        items, self._profiles = self._profiles, []
        first = self._profiles_read
        self._profiles_read = end = first + len(items)
        self._findings(self._campaigns.process(Batch(items, list(range(first, end)), end)))

    def _findings(self, outputs: Outputs) -> None:
        for finding in outputs.findings:
            self._sink.finding(finding)
            self._policies.put(finding.subject, finding)

    def _directives(self, outputs: Outputs) -> None:
        for directive in outputs.directives:
            self._sink.directive(directive)
