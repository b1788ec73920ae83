"""One pass for several listeners: all hear the same, in the same order, and each one's time is told apart."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from stillwatch_streams.ingest import DeadLetter, Ingest
from stillwatch_streams.replay.reader import Step
from stillwatch_streams.replay.reading import Input, Reading, Stopwatch, Times
from stillwatch_streams.replay.stopping import StopFlag
from stillwatch_streams.sources import TimeRange, open_source
from support.builders import T0, make_event


class Ear:
    """A listener that remembers what it heard."""

    def __init__(self) -> None:
        self.watch = Stopwatch()
        self.heard: list[object] = []
        self.steps: list[Step] = []

    def step(self, step: Step) -> None:
        self.steps.append(step)
        self.heard.append(([(partition, list(batch.items)) for partition, batch in step.batches], step.last_ts))

    def end(self) -> None:
        self.heard.append("end")

    def dead_letter(self, source: str, partition: int | None, letter: DeadLetter) -> None:
        self.heard.append((source, partition, letter.code))


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    """5,000 events and a line that is none, in two partitions: more than one chunk."""
    path = tmp_path / "events.jsonl"
    events = [make_event(event_id=f"e{n}", ts=T0 + n, account_id=f"acct-{n % 7}") for n in range(5_000)]
    path.write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in events) + b"{}\n")
    return Reading(Input(sources=[open_source(str(path), TimeRange())], ingest=Ingest(), partitions=2))


def test_every_listener_hears_the_same(reading: Reading) -> None:
    one, other = Ear(), Ear()
    reading.drive([one, other], StopFlag(), None)
    assert one.heard == other.heard
    assert one.heard[-1] == "end"
    assert [heard for heard in one.heard if isinstance(heard, tuple) and heard[-1] == "missing_field"]
    assert (reading.events, reading.last_ts, reading.watcher.first_ts) == (5_000, T0 + 4_999, T0)


def test_events_that_everybody_has_seen_are_let_go(reading: Reading) -> None:
    ear = Ear()
    reading.drive([ear], StopFlag(), None)
    assert len(ear.steps) > 1
    assert not any(step.events or any(batch.items for _, batch in step.batches) for step in ear.steps)


def test_a_request_to_stop_is_heard_between_pieces_and_everybody_still_ends(reading: Reading) -> None:
    ear, stop = Ear(), StopFlag()
    stop.requested = True
    reading.drive([ear], stop, None)
    assert reading.interrupted
    assert 0 < reading.events < 5_000
    assert ear.heard[-1] == "end"


def test_a_listener_is_charged_with_the_reading_and_itself_only(reading: Reading) -> None:
    ears = [Ear(), Ear()]
    reading.drive(ears, StopFlag(), None)
    reading.watch.seconds, reading.watch.cpu_seconds = 10.0, 9.0
    for ear, spent in zip(ears, (3.0, 4.0), strict=True):
        ear.watch.seconds = ear.watch.cpu_seconds = spent
    reading.elsewhere = [5.5, 1.0]
    assert [reading.times_of(ear) for ear in ears] == [
        Times(seconds=6.0, cpu_seconds=11.5, busiest_cpu_seconds=5.5),
        Times(seconds=7.0, cpu_seconds=12.5, busiest_cpu_seconds=6.0),
    ]


def test_a_stopwatch_adds_up_its_blocks() -> None:
    watch = Stopwatch()
    with watch:
        pass
    once = watch.seconds
    with watch:
        pass
    assert 0 < once < watch.seconds
