"""Whole batches are what aiokafka makes of the same memory, record by record: offsets, times, keys, values, headers."""

from __future__ import annotations

import gc
import struct
import weakref
from contextlib import nullcontext
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, Fetcher, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from stillwatch_streams.checksums import CheckingClient
from stillwatch_streams.record_batches import Fetched, WholeBatches, hand_over_whole_batches
from support.builders import T0

PLACE = TopicPartition("requests", 0)
GZIP, CONTROL = 1, 0x20
ATTRIBUTES_AT, LAST_OFFSET_AT = 21, 23
"""Where these fields begin in a batch (format version 2)."""


def batch(first: int, count: int, *, codec: int = 0, control: bool = False, removed: int = 0) -> bytes:
    """A record batch as a broker sends it; `removed`: records that compaction took from its end."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, 0, 1 << 20)
    for number in range(count):
        headers = [("h", b"%d" % number), ("empty", b"")] if number % 3 == 2 else []
        value = None if number % 5 == 4 else b"v%d" % number
        builder.append(number, timestamp=T0 + number, key=b"k%d" % number, value=value, headers=headers)
    data = bytearray(builder.build())
    struct.pack_into(">q", data, 0, first)
    struct.pack_into(">i", data, LAST_OFFSET_AT, count + removed - 1)
    data[ATTRIBUTES_AT + 1] |= CONTROL if control else 0
    struct.pack_into(">I", data, ATTRIBUTES_AT - 4, calc_crc32c(bytes(data[ATTRIBUTES_AT:])))
    return bytes(data)


def records_of(memory: bytes, start: int) -> PartitionRecords:
    return PartitionRecords(
        PLACE, MemoryRecords(memory), None, start, None, None, check_crcs=True, isolation_level=READ_UNCOMMITTED
    )


def facts(records: Any) -> list[tuple[Any, ...]]:
    return [(one.offset, one.timestamp, one.key, one.value, tuple(one.headers)) for one in records]


MEMORIES = {
    "several batches": batch(10, 3) + batch(13, 7),
    "compressed": batch(10, 5, codec=GZIP) + batch(15, 2),
    "with control records": batch(10, 2) + batch(12, 1, control=True) + batch(13, 4) + batch(17, 1, control=True),
    "compacted": batch(10, 2, removed=3) + batch(15, 1, removed=6),
    "cut short": batch(10, 6) + batch(16, 3)[:-1],
    "nothing": b"",
}


@pytest.mark.parametrize("start", [10, 12, 16])
@pytest.mark.parametrize("memory", MEMORIES.values(), ids=MEMORIES)
def test_the_same_records_and_the_same_place_to_read_on(memory: bytes, start: int) -> None:
    theirs, ours = records_of(memory, start), WholeBatches(records_of(memory, start))
    assert facts(ours) == facts(theirs)
    assert ours.next_fetch_offset == theirs.next_fetch_offset


def test_a_damaged_batch_is_an_error_as_it_is_for_aiokafka() -> None:
    memory = batch(10, 3) + batch(13, 3)[:-2] + b"!!"
    for records in (records_of(memory, 10), WholeBatches(records_of(memory, 10))):
        with pytest.raises(CorruptRecordException, match="Invalid CRC"):
            list(records)


def test_what_is_known_to_be_intact_is_not_checked_again() -> None:
    memory = batch(10, 3)[:-2] + b"!!"
    assert len(list(WholeBatches(records_of(memory, 10), intact=True))) == 3


def test_no_cycle_keeps_the_memory_until_the_collector_comes() -> None:
    found = records_of(batch(10, 3), 10)
    seen = weakref.ref(found)
    gc.disable()
    try:
        taken = list(WholeBatches(found))
        del found
        assert seen() is None
    finally:
        gc.enable()
    assert len(taken) == 3


class Started:
    """What hand_over_whole_batches looks at in a consumer, with aiokafka's own fetcher."""

    def __init__(self, isolation: int) -> None:
        self._fetcher = Fetcher.__new__(Fetcher)
        vars(self._fetcher).update(
            _isolation_level=isolation, _key_deserializer=None, _value_deserializer=None, _records={}, _client=None
        )


def test_what_a_fetcher_takes_in_becomes_whole_batches_and_errors_stay() -> None:
    consumer = Started(READ_UNCOMMITTED)
    hand_over_whole_batches(consumer)
    fetched = consumer._fetcher._records
    fetched[PLACE] = FetchResult(PLACE, assignment=None, partition_records=records_of(batch(10, 3), 10), backoff=0)
    assert isinstance(fetched, Fetched)
    assert isinstance(fetched[PLACE]._partition_records, WholeBatches)
    assert isinstance(consumer._fetcher._client, CheckingClient)
    fetched[PLACE] = "an error"
    assert fetched[PLACE] == "an error"


@pytest.mark.parametrize("intact", [True, False])
def test_a_fetch_that_was_found_intact_is_believed(intact: bool) -> None:
    fetched = Fetched({tuple(PLACE)} if intact else set())
    damaged = records_of(batch(10, 3)[:-2] + b"!!", 10)
    fetched[PLACE] = FetchResult(PLACE, assignment=None, partition_records=damaged, backoff=0)
    records = iter(fetched[PLACE]._partition_records)
    with nullcontext() if intact else pytest.raises(CorruptRecordException, match="Invalid CRC"):
        assert len(list(records)) == 3


def test_a_consumer_that_skips_aborted_transactions_is_refused() -> None:
    with pytest.raises(RuntimeError, match="uncommitted"):
        hand_over_whole_batches(Started(READ_COMMITTED))
