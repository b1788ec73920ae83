"""What a fetch's checksums say, and that the client hands everything on."""

from __future__ import annotations

import struct
from typing import Any

import google_crc32c
import pytest
from aiokafka.protocol.fetch import FetchResponse_v4
from aiokafka.protocol.offset import OffsetResponse_v1
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st
from stillwatch_streams.checksums import CheckingClient, is_intact

VERSION_AT = 16
LENGTH_AT = 8


def batch(count: int, codec: int = 0) -> bytes:
    """A record batch as a broker sends it."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, 0, 1 << 20)
    for number in range(count):
        builder.append(number, timestamp=1, key=b"k", value=b"v%d" % number, headers=[])
    return bytes(builder.build())


def legacy() -> bytes:
    """Records in the format before."""
    builder = LegacyRecordBatchBuilder(1, 0, 1 << 20)
    builder.append(0, timestamp=1, key=b"k", value=b"v" * 50)
    return bytes(builder.build())


WHOLE = batch(3) + batch(5, codec=1) + batch(1)
"""The second one is compressed."""


def test_whole_batches_are_intact_and_what_the_broker_cut_short_does_not_count() -> None:
    assert google_crc32c.implementation == "c"
    assert is_intact(b"")
    assert is_intact(WHOLE)
    assert is_intact(WHOLE + batch(4)[:-1])
    assert is_intact(WHOLE + batch(4)[:30])


@given(at=st.integers(VERSION_AT + 1, len(batch(9)) - 1), bit=st.integers(0, 7))
def test_a_single_turned_bit_is_noticed(at: int, bit: int) -> None:
    damaged = bytearray(batch(9))
    damaged[at] ^= 1 << bit
    assert not is_intact(bytes(damaged))


@pytest.mark.parametrize("length", [-2_000_000_000, -12, 0, 48])
def test_a_length_that_no_batch_has_is_left_to_aiokafka(length: int) -> None:
    damaged = bytearray(WHOLE)
    struct.pack_into(">i", damaged, LENGTH_AT, length)
    assert not is_intact(bytes(damaged))


def test_old_formats_are_left_to_aiokafka() -> None:
    assert not is_intact(legacy())


def test_without_compiled_code_everything_is_left_to_aiokafka(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(google_crc32c, "implementation", "python")
    assert not is_intact(WHOLE)


class Client:
    """Stands for aiokafka's client: answers what it was told to."""

    cluster = "the cluster"

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    async def send(self, node_id: int, request: Any) -> Any:
        self.asked.append((node_id, request))
        return self.answers.pop(0)


def fetched(**memories: bytes | None) -> FetchResponse_v4:
    """The answer to a fetch from partition 3 of some topics."""
    return FetchResponse_v4(0, [(topic, [(3, 0, 9, 9, [], memory)]) for topic, memory in memories.items()])


async def test_the_latest_fetch_of_each_partition_counts() -> None:
    damaged = WHOLE[:-1] + b"!"
    answers = fetched(a=WHOLE, b=damaged, c=None), OffsetResponse_v1([]), fetched(a=damaged, b=WHOLE)
    client = CheckingClient(Client(*answers))
    seen = []
    for answer in answers:
        assert await client.send(1, "request") is answer
        seen.append(set(client.intact))
    assert seen == [{("a", 3), ("c", 3)}, {("a", 3), ("c", 3)}, {("b", 3), ("c", 3)}]


def test_it_is_the_client_in_everything_else() -> None:
    assert CheckingClient(Client()).cluster == "the cluster"
