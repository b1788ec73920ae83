"""A member works in pieces of a useful size."""

from __future__ import annotations

from stillwatch_models.shard import Batch
from stillwatch_streams.replay.crew.member import _pieces
from stillwatch_streams.replay.crew.messages import Part, pack
from stillwatch_streams.replay.reader import PIECE_RECORDS
from support.builders import make_event


def packed(partition: int, first: int, count: int) -> bytes:
    places = list(range(first, first + count))
    items = [make_event(event_id=f"e{place}") for place in places]
    return pack(Part.of(partition, Batch(list(items), places, first + count)))


def test_small_batches_of_a_partition_are_joined_and_large_ones_are_not_held_back() -> None:
    sizes = [(0, 100), (1, 10), (0, 200), (1, 20), (0, 5), (1, PIECE_RECORDS), (0, 6)]
    parts, first = [], 0
    for partition, count in sizes:
        parts.append(packed(partition, first, count))
        first += count
    pieces = list(_pieces(parts))
    assert [(partition, len(batch.items)) for partition, batch in pieces] == [
        (0, 300),
        (1, PIECE_RECORDS + 30),
        (0, 11),
    ]
    for _, batch in pieces:
        assert batch.offsets == sorted(batch.offsets)
        assert [item.event_id for item in batch.items] == [f"e{place}" for place in batch.offsets]  # type: ignore[union-attr] - only events here
        assert batch.next_offset == batch.offsets[-1] + 1
