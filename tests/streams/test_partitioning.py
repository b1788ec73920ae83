"""Our murmur2 is Kafka's: replay of a file must split accounts exactly as the topic would."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st
from stillwatch_streams import partitioning
from stillwatch_streams.partitioning import Partitioner, partition_of


@given(key=st.binary(max_size=70), partitions=st.integers(1, 100))
def test_equals_the_default_partitioner_of_the_client_library(key: bytes, partitions: int) -> None:
    expected = DefaultPartitioner()(key, list(range(partitions)), [])
    assert partition_of(key, partitions) == expected


def test_remembering_keys_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitioning, "REMEMBERED_KEYS", 3)
    partitioner = Partitioner(7)
    keys = [f"acct-{n}" for n in range(10)] * 2
    assert [partitioner.of(key) for key in keys] == [partition_of(key.encode(), 7) for key in keys]
    assert len(partitioner._known) <= 3


def test_text_that_utf8_cannot_hold_still_has_a_partition() -> None:
    assert 0 <= Partitioner(4).of("\ud800") < 4
