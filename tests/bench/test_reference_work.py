"""The benchmark's contestants do the oracle's work; those that need their own libraries are checked when they run."""

from __future__ import annotations

import msgspec
import pytest
from peers import traffic
from peers.aiokafka_river import Loop
from peers.reference_shard import ReferenceShard, RequestDecoder, decode
from peers.work import ALERT_ABOVE, Alert, Request, differences, oracle, overlap
from stillwatch_models.shard import Batch
from stillwatch_schemas.errors import ContractError
from support.records import PlainRecord

EVENTS = 16_000  # more than three windows of the trees, and past the first end of a minute


@pytest.fixture(scope="module")
def values() -> list[bytes]:
    return [value for _, value, _ in traffic.entries(EVENTS, text=True)]


@pytest.fixture(scope="module")
def requests(values: list[bytes]) -> list[Request]:
    return [decode(value) for value in values]


@pytest.fixture(scope="module")
def wanted(requests: list[Request]) -> list[Alert]:
    return oracle(requests)


def shard_alerts(shard: ReferenceShard, requests: list[Request], size: int, start: int = 0) -> list[Alert]:
    found: list[Alert] = []
    for first in range(start, len(requests), size):
        end = min(first + size, len(requests))
        found += shard.process(Batch(requests[first:end], list(range(first, end)), end)).alerts
    return found


def test_there_is_something_to_find(wanted: list[Alert], requests: list[Request]) -> None:
    assert 20 < len(wanted) < len(requests) / 20
    assert all(alert.score > ALERT_ABOVE for alert in wanted)
    assert len({request.ts // 60_000 for request in requests}) == 3  # windows end on the way, and an hour later


@pytest.mark.parametrize("size", [1, 700, EVENTS])
def test_the_shard_raises_the_oracles_alerts_in_any_batches(
    size: int, requests: list[Request], wanted: list[Alert]
) -> None:
    until = 4_000 if size == 1 else EVENTS
    found = shard_alerts(ReferenceShard(0), requests[:until], size)
    assert found == oracle(requests[:until])
    assert found == wanted[: len(found)]


def test_a_shard_put_down_and_picked_up_raises_the_same(requests: list[Request], wanted: list[Alert]) -> None:
    first = ReferenceShard(0)
    rows: dict[bytes, bytes] = {}
    found: list[Alert] = []
    for begin in range(0, 9_000, 1_000):
        found += first.process(
            Batch(requests[begin : begin + 1_000], list(range(begin, begin + 1_000)), begin + 1_000)
        ).alerts
        checkpoint = first.checkpoint()
        assert checkpoint is not None
        rows |= {key: row for key, row in checkpoint.rows.items() if row is not None}
    assert first.checkpoint() is None
    assert rows == first.snapshot()
    second = ReferenceShard(0)
    offset = second.restore(rows)
    assert found + shard_alerts(second, requests, 1_000, offset) == wanted


def test_the_plain_loop_raises_them_too(values: list[bytes], wanted: list[Alert]) -> None:
    loop = Loop()
    found = [alert for value in values if (alert := loop(msgspec.json.decode(value))) is not None]
    assert [msgspec.convert(alert, Alert) for alert in found] == wanted


def test_sketched_and_text_requests_are_the_same_to_the_reference_work(requests: list[Request]) -> None:
    sketched = [decode(value) for _, value, _ in traffic.entries(512, text=False)]
    text = [decode(value) for _, value, _ in traffic.entries(512, text=True)]
    assert sketched == text
    assert text[:511] == requests[:511]


def test_a_record_that_is_no_request_is_refused() -> None:
    with pytest.raises(ContractError):
        decode(b'{"event_id": "e"}')


def test_a_fetch_is_decoded_as_its_records_are_and_the_bad_ones_are_set_aside(values: list[bytes]) -> None:
    records = [PlainRecord(value=value, offset=offset) for offset, value in enumerate(values[:20])]
    batch, dead = RequestDecoder()(records)
    assert (batch.items, batch.offsets, batch.next_offset, dead) == (
        [decode(v) for v in values[:20]],
        [*range(20)],
        20,
        [],
    )
    records[3] = PlainRecord(value=None, offset=3)
    batch, dead = RequestDecoder()(records)
    assert [letter.record.offset for letter in dead] == [3]
    assert batch.offsets == [0, 1, 2, *range(4, 20)]


def test_a_peer_that_does_other_work_is_found_out(wanted: list[Alert]) -> None:
    other = msgspec.structs.replace(wanted[1], score=wanted[1].score + 1e-12)
    assert not differences(wanted, wanted)
    assert not differences(wanted, wanted[:3])  # it read further than the clock ran
    assert "wanted" in differences(wanted[:-1], wanted)
    assert differences([wanted[0], other], wanted[:2])
    assert differences(wanted[1::-1], wanted[:2])  # another order
    assert overlap(wanted[:3], wanted[1:4]) == 0.5
