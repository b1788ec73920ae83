"""From sources to batches: dealt out as a topic would, merged by time, heartbeats for the silent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from stillwatch_models.shard import Batch
from stillwatch_schemas.errors import ConfigError, SourceError
from stillwatch_schemas.events import Heartbeat, RequestEvent
from stillwatch_schemas.verdicts import Verdict
from stillwatch_streams.ingest import Ingest, Item
from stillwatch_streams.partitioning import partition_of
from stillwatch_streams.replay.reader import BEAT_MS, Dealer, Laggards, Reader
from stillwatch_streams.sources import KafkaSource, Source, TimeRange, open_source
from support.builders import T0, make_event, make_verdict

PARTITIONS = 3


def write(path: Path, events: list[RequestEvent]) -> Source:
    path.write_bytes(b"\n".join(msgspec.json.encode(event) for event in events))
    return open_source(str(path), TimeRange())


def reader_of(
    *sources: Source,
    between: TimeRange | None = None,
    verdicts: Sequence[Verdict] = (),
) -> Reader:
    return Reader(sources, Ingest(), between=between or TimeRange(), verdicts=verdicts)


def seen(reader: Reader) -> list[RequestEvent]:
    """Events in the order in which the pipeline would meet them, were there one partition."""
    batches = [batch for step in reader.steps(1) for _, batch in step.batches]
    return [item for batch in batches for item in batch.items if isinstance(item, RequestEvent)]


def events_at(*seconds: int, account: str = "a") -> list[RequestEvent]:
    return [make_event(event_id=f"{account}{at}", ts=T0 + at * 1_000, account_id=account) for at in seconds]


def test_each_event_goes_to_the_partition_of_its_account(tmp_path: Path) -> None:
    events = [make_event(event_id=str(n), account_id=f"acct-{n % 17}") for n in range(200)]
    reader = reader_of(write(tmp_path / "e.jsonl", events))
    count = 0
    for step in reader.steps(PARTITIONS):
        for partition, batch in step.batches:
            requests = [item for item in batch.items if isinstance(item, RequestEvent)]
            assert all(partition_of(event.account_id.encode(), PARTITIONS) == partition for event in requests)
            count += len(requests)
    assert count == 200


@pytest.mark.parametrize("partitions", [1, PARTITIONS])
def test_offsets_rise_strictly_in_every_partition_whatever_the_chunks(partitions: int) -> None:
    dealer = Dealer(partitions)
    last = [-1] * partitions
    for start in range(0, 600, 37):
        some = [make_event(account_id=f"acct-{n % 11}", ts=T0 + n * 7_000) for n in range(start, start + 37)]
        for partition, batch in dealer.deal(some):
            assert batch.offsets == sorted(set(batch.offsets))
            assert batch.offsets[0] > last[partition]
            assert batch.next_offset > batch.offsets[-1]
            last[partition] = batch.offsets[-1]


def dealt(events: list[RequestEvent], sizes: int) -> list[list[tuple[int, Item]]]:
    """Everything each partition hears, however the input was cut."""
    dealer = Dealer(PARTITIONS)
    heard: list[list[tuple[int, Item]]] = [[] for _ in range(PARTITIONS)]
    for start in range(0, len(events), sizes):
        for partition, batch in dealer.deal(events[start : start + sizes]):
            heard[partition] += zip(batch.offsets, batch.items, strict=True)
    return heard


def test_where_the_input_is_cut_changes_nothing_that_a_partition_hears() -> None:
    events = [make_event(account_id=f"acct-{n % 11}", ts=T0 + n * 13_000) for n in range(100)]
    assert dealt(events, 1) == dealt(events, 7) == dealt(events, 100)


def test_partitions_without_events_hear_how_far_time_has_come() -> None:
    heard = dealt(events_at(0, 10, 70, 300), sizes=2)
    home = partition_of(b"a", PARTITIONS)
    for partition, items in enumerate(heard):
        beats = [item.ts for _, item in items if isinstance(item, Heartbeat)]
        expected = [] if partition == home else [T0 + at * 1_000 - BEAT_MS for at in (0, 70, 300)]
        assert beats == expected


def test_files_are_merged_by_time(tmp_path: Path) -> None:
    one = write(tmp_path / "1.jsonl", events_at(0, 5, 9, 40))
    two = write(tmp_path / "2.jsonl", events_at(3, 5, 6, account="b"))
    late = write(tmp_path / "3.jsonl", events_at(50, account="c"))
    assert [event.event_id for event in seen(reader_of(late, two, one))] == [
        "a0", "b3", "b5", "a5", "b6", "a9", "a40", "c50",
    ]  # fmt: skip


def test_a_damaged_file_among_several_gives_what_was_merged_so_far(tmp_path: Path) -> None:
    one = write(tmp_path / "1.jsonl", events_at(0, 5))
    (tmp_path / "2.jsonl.zst").write_bytes(b"no archive")
    reader = reader_of(one, open_source(str(tmp_path / "2.jsonl.zst"), TimeRange()))
    with pytest.raises(SourceError, match="corrupt"):
        seen(reader)


def test_only_the_wanted_times_are_kept(tmp_path: Path) -> None:
    source = write(tmp_path / "e.jsonl", events_at(0, 1, 2, 3))
    between = TimeRange(T0 + 1_000, T0 + 3_000)
    assert [event.event_id for event in seen(reader_of(source, between=between))] == ["a1", "a2"]


def test_bad_lines_are_told_with_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").write_bytes(b"{}\n" + msgspec.json.encode(make_event()) + b"\nnonsense\n")
    reader = reader_of(open_source(str(tmp_path / "e.jsonl"), TimeRange()))
    steps = list(reader.steps(1))
    assert sum(len(step.events) for step in steps) == 1
    letters = [misfit.letter for step in steps for misfit in step.misfits]
    assert [(letter.record.offset, letter.code) for letter in letters] == [(1, "missing_field"), (3, "malformed_json")]
    assert steps[-1].done == reader.size


def test_a_topic_is_not_mixed_with_other_sources(tmp_path: Path) -> None:
    file = write(tmp_path / "e.jsonl", events_at(0))
    with pytest.raises(ConfigError, match="read alone"):
        reader_of(KafkaSource("kafka://127.0.0.1:9/t", TimeRange()), file)


def beat(partition: int, ts: int, offset: int) -> tuple[int, Batch[Item]]:
    return partition, Batch([Heartbeat(ts)], [offset], offset + 1)


def test_an_ended_partition_is_carried_along_by_the_slowest_that_goes_on() -> None:
    laggards = Laggards(3)
    laggards.after(0, Batch([make_event(ts=T0)], [4], 5), ())
    laggards.after(1, Batch([make_event(ts=T0 + 500_000)], [0], 1), (0,))
    told = laggards.after(2, Batch([make_event(ts=T0 + 300_000)], [0], 1), (0,))
    assert told == [beat(0, T0 + 300_000 - BEAT_MS, 5)]
    assert laggards.after(2, Batch([make_event(ts=T0 + 301_000)], [1], 2), (0,)) == []
    told = laggards.after(2, Batch([make_event(ts=T0 + 400_000)], [2], 3), (0,))
    assert told == [beat(0, T0 + 400_000 - BEAT_MS, 6)]


def test_verdicts_come_before_the_first_event_that_is_not_earlier_whatever_the_chunks() -> None:
    early, late = make_verdict(verdict_id="a", at=T0 + 2_000), make_verdict(verdict_id="b", at=T0 + 2_000)
    after = make_verdict(verdict_id="c", at=T0 + 60_000)
    for sizes in ([6], [2, 4], [1] * 6):
        dealer = Dealer(1, [after, late, early])
        events, order, offsets = events_at(0, 1, 2, 3, 4, 5), [], []
        for size in sizes:
            some, events = events[:size], events[size:]
            for _, batch in dealer.deal(some):
                order += [item.verdict_id if isinstance(item, Verdict) else item.ts - T0 for item in batch.items]
                offsets += batch.offsets
        ((_, rest),) = dealer.rest()
        assert order == [0, 1_000, "a", "b", 2_000, 3_000, 4_000, 5_000]
        assert offsets + rest.offsets == list(range(9))
        assert rest.items == [after]


def test_a_verdict_goes_to_the_partition_of_its_subject(tmp_path: Path) -> None:
    verdicts = [make_verdict(subject=f"acct-{n}", verdict_id=f"v{n}", at=T0 + n) for n in range(20)]
    source = write(tmp_path / "e.jsonl", events_at(0, 100))
    steps = reader_of(source, verdicts=verdicts).steps(PARTITIONS)
    homes = {
        item.subject: partition
        for step in steps
        for partition, batch in step.batches
        for item in batch.items
        if isinstance(item, Verdict)
    }
    assert homes == {f"acct-{n}": partition_of(f"acct-{n}".encode(), PARTITIONS) for n in range(20)}


def test_verdicts_outside_the_time_range_are_left_out(tmp_path: Path) -> None:
    source = write(tmp_path / "e.jsonl", events_at(0, 100))
    verdicts = [make_verdict(verdict_id="in", at=T0 + 1), make_verdict(verdict_id="out", at=T0 + 50_000)]
    steps = reader_of(source, between=TimeRange(None, T0 + 10_000), verdicts=verdicts).steps(1)
    items = [item for step in steps for _, batch in step.batches for item in batch.items]
    assert [item.verdict_id for item in items if isinstance(item, Verdict)] == ["in"]


def test_a_topic_carries_its_own_verdicts() -> None:
    topic = KafkaSource.__new__(KafkaSource)
    topic.name = "kafka://h/t"
    with pytest.raises(ConfigError, match="kafka://h/t carries its own verdicts"):
        reader_of(topic, verdicts=[make_verdict()])
