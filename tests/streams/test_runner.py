"""The runner's order of things, its gate, and what it does when the group refuses it; Kafka is recorded in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from stillwatch_models.shard import Batch, Outputs
from stillwatch_schemas.errors import StateError
from stillwatch_streams.agent_spec import AgentSpec, Services, Start
from stillwatch_streams.checkpoint_image import recover
from stillwatch_streams.checkpoints import Plan
from stillwatch_streams.crash_notes import CrashNotes, RecordFailure
from stillwatch_streams.ingest import DeadLetter, Ingest
from stillwatch_streams.metrics import Metrics
from stillwatch_streams.outputs import Partitions, Router
from stillwatch_streams.publisher import Message
from stillwatch_streams.runner import FencedError, OutOfStepError, PartitionRunner
from stillwatch_streams.settings import Settings
from stillwatch_streams.topic_names import TopicNames
from stillwatch_streams.transport import Fetch
from support.builders import make_event, make_finding
from support.counting import BOMB, CountingShard
from support.records import PlainRecord, record_of

T0 = make_event().ts


class Kafka:
    """Publisher, checkpoint store, DLQ and group coordinator at once: keeps what happened, in order."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.letters: list[DeadLetter] = []
        self.owner = True
        self.full = False

    async def send(self, *arguments: Any) -> Any:
        if len(arguments) == 2:  # the DLQ's send(partition, letters)
            letters: Sequence[DeadLetter] = arguments[1]
            self.letters += letters
            self.happened.append(f"{len(letters)} dead letters")
            return 99
        if self.full:
            raise OSError("the disk is full")
        messages: Iterable[Message] = arguments[0]
        self.happened.append(f"{len(list(messages))} messages")
        return []

    async def write(self, _partition: int, plan: Plan) -> int:
        self.happened.append("checkpoint")
        return len(plan.rows)

    async def commit(self, _topic: str, _partition: int, offset: int) -> bool:
        self.happened.append(f"commit {offset}")
        return self.owner


class Bench:
    """A runner over `Kafka`, and the failures it reported."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.kafka = Kafka()
        self.failures: list[BaseException] = []
        self.notes = CrashNotes(folder)
        services: dict[str, Any] = {
            "agent": "account",
            "publisher": self.kafka,
            "router": Router(TopicNames(Settings()), Partitions(alerts=1, signals=1, enforcement=1)),
            "store": self.kafka,
            "letters": self.kafka,
            "notes": self.notes,
            "metrics": Metrics(),
            "commit": self.kafka.commit,
            "on_failure": self.failures.append,
            "checkpoint_seconds": 0.02,
            "expire_seconds": 0.0,
            "fence_seconds": 0.05,
        }
        start = {"log": recover([], generation=1).log, "offset": 0, "dead_until": 0, "dlq_offset": 0}
        taken = {name: changes.pop(name) for name in ("offset", "sent", "poison", "dead_until") if name in changes}
        self.shard = CountingShard(0)
        spec = AgentSpec(
            name="account",
            topic="requests",
            make_shard=CountingShard,
            decode=Ingest().decode,
            at_once=changes.pop("at_once", 100),
            **({"steps": changes.pop("steps")} if "steps" in changes else {}),
        )
        self.runner = PartitionRunner(
            "requests",
            0,
            shard=self.shard,
            spec=spec,
            start=Start(**({"sent": {}, "poison": frozenset()} | start | taken)),
            services=Services(**(services | changes)),
        )
        self.runner.start(1)

    async def feed(self, records: list[PlainRecord], **changes: Any) -> None:
        fetch = Fetch("requests", 0, 1, records[0].offset, records, 0)
        await self.runner.feed(fetch._replace(**changes))

    async def until(self, happened: str) -> None:
        async with asyncio.timeout(5):
            while happened not in self.kafka.happened and not self.failures:
                await asyncio.sleep(0.005)


def requests(count: int, *, first: int = 0, account: str = "acct-1") -> list[PlainRecord]:
    """Records one second apart, so that each closes the pane of the one before."""
    return [
        record_of(make_event(event_id=f"e-{n}", account_id=account, ts=T0 + n * 1_000), offset=n)
        for n in range(first, first + count)
    ]


async def test_outputs_come_before_the_checkpoint_and_the_commit_last(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    junk = PlainRecord(value=b"junk", offset=41)
    await bench.feed([*requests(41), junk])
    await bench.until("commit 40")
    order = [step for step in bench.kafka.happened if step != "0 messages"]
    assert order[:4] == ["1 dead letters", "2 messages", "checkpoint", "commit 40"]
    assert bench.runner.offset == 42
    await bench.runner.close()


async def test_a_fetch_is_taken_in_parts(tmp_path: Path) -> None:
    whole, parts = Bench(tmp_path / "whole"), Bench(tmp_path / "parts", at_once=15)
    for bench in (whole, parts):
        await bench.feed([*requests(42), PlainRecord(value=b"junk", offset=42)])
        await bench.until("commit 41")
        assert bench.runner.offset == 43
        await bench.runner.close()
    assert parts.shard.snapshot() == whole.shard.snapshot()
    assert [step for step in whole.kafka.happened if step.endswith(" messages")] == ["2 messages"]
    assert [step for step in parts.kafka.happened if step.endswith(" messages")] == ["1 messages", "1 messages"]


async def test_the_first_part_is_acknowledged_before_the_others_and_all_before_the_checkpoint(tmp_path: Path) -> None:
    def in_parts(shard: CountingShard, batch: Batch[Any]) -> Iterator[Outputs]:
        for part in range(1, 4):
            bench.kafka.happened.append(f"part {part}")
            yield Outputs(findings=[make_finding()] * part)
        shard.process(batch)

    bench = Bench(tmp_path, steps=in_parts)
    await bench.feed(requests(3))
    await bench.until("commit 2")
    assert bench.kafka.happened[:3] == ["part 1", "1 messages", "part 2"]
    written = [step for step in bench.kafka.happened if not step.startswith("part")]
    assert written[:5] == ["1 messages", "2 messages", "3 messages", "checkpoint", "commit 2"]
    await bench.runner.close()


async def test_a_part_that_cannot_be_written_ends_the_worker_without_a_checkpoint(tmp_path: Path) -> None:
    def in_parts(shard: CountingShard, batch: Batch[Any]) -> Iterator[Outputs]:
        yield shard.process(batch)
        bench.kafka.full = True
        yield Outputs(findings=[make_finding()])
        yield Outputs(findings=[make_finding()])

    bench = Bench(tmp_path, steps=in_parts)
    await bench.feed(requests(3))
    await bench.until("nothing")
    assert [str(failure) for failure in bench.failures] == ["the disk is full"]
    assert "checkpoint" not in bench.kafka.happened


async def test_a_gap_between_fetch_and_shard_ends_the_worker(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.feed(requests(5, first=7))
    await bench.until("nothing")
    assert isinstance(bench.failures[0], OutOfStepError)
    assert "expected offset 0, was given 7" in str(bench.failures[0])


async def test_a_hole_inside_the_log_is_no_gap(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.feed(requests(5, first=3), base=0)  # offsets 0 to 2 are a transaction's control records
    await bench.until("commit 7")
    assert bench.runner.offset == 8
    await bench.runner.close()


@pytest.mark.parametrize(("skip", "ends"), [(False, True), (True, False)])
async def test_records_lost_to_retention(tmp_path: Path, skip: bool, ends: bool) -> None:
    bench = Bench(tmp_path, skip_lost=skip)
    await bench.feed(requests(5, first=3), base=0, lost=3)
    await bench.until("commit 7")
    assert bool(bench.failures) is ends
    if ends:
        assert isinstance(bench.failures[0], StateError)
        assert "on_lost_records" in str(bench.failures[0])
    else:
        await bench.runner.close()


async def test_a_stale_fetch_is_ignored(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.feed(requests(5, first=7), session=0)
    await bench.feed(requests(5))
    await bench.until("commit 4")
    assert bench.runner.offset == 5
    await bench.runner.close()


async def test_a_refused_commit_stops_the_shard_and_waits_for_the_rebalance(tmp_path: Path) -> None:
    bench = Bench(tmp_path, fence_seconds=5.0)
    bench.kafka.owner = False
    await bench.feed(requests(5))
    await bench.until("commit 4")
    written = bench.kafka.happened.count("checkpoint")
    await asyncio.sleep(0.1)
    await bench.runner.close()
    assert bench.kafka.happened.count("checkpoint") == written == 1
    assert bench.failures == []


async def test_a_refused_commit_without_a_rebalance_ends_the_worker(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.kafka.owner = False
    await bench.feed(requests(5))
    await bench.until("nothing")
    assert isinstance(bench.failures[0], FencedError)


async def test_what_is_in_the_dlq_already_is_not_sent_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, dead_until=2, sent={3: "malformed_json"})
    await bench.feed([PlainRecord(value=b"junk", offset=n) for n in range(5)])
    await bench.until("commit 5")
    assert [letter.record.offset for letter in bench.kafka.letters] == [2, 4]
    await bench.runner.close()


async def test_a_failing_fetch_is_noted_and_then_taken_apart(tmp_path: Path) -> None:
    bomb = record_of(make_event(account_id=BOMB, ts=T0 + 2_000), offset=2)
    records = [*requests(2), bomb, *requests(2, first=3)]
    expected = [(0, 4), (2, 2)]
    for first, last in expected:
        bench = Bench(tmp_path)
        await bench.feed(records)
        await bench.until("nothing")
        failure = bench.failures[0]
        assert isinstance(failure, RecordFailure)
        assert (failure.first, failure.last) == (first, last)
        bench.notes.add(failure)
    bench = Bench(tmp_path, poison=frozenset({2}))
    await bench.feed(records)
    await bench.until("commit 4")
    assert [(letter.code, letter.record.offset) for letter in bench.kafka.letters] == [("poison", 2)]
    assert bench.shard.counts.total() == 3
    await bench.runner.close()


async def test_the_checkpoint_never_goes_back_behind_its_start(tmp_path: Path) -> None:
    bench = Bench(tmp_path, offset=500)  # a topic whose first 500 records are gone already
    await bench.until("commit 500")
    assert "commit 0" not in bench.kafka.happened
    await bench.runner.close()
