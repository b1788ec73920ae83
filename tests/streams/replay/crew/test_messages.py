"""What is sent to a process is what it gets."""

from __future__ import annotations

from stillwatch_models.columns import PackedRequest
from stillwatch_models.shard import Batch
from stillwatch_schemas.events import Heartbeat, Sketch
from stillwatch_streams.ingest import Ingest, Item
from stillwatch_streams.replay.crew.messages import Part, pack, unpack_part
from support.builders import T0, make_event, make_verdict
from support.records import record_of


def test_a_batch_arrives_as_it_was() -> None:
    """Verdicts and heartbeats at both ends and between; a text, a sketch, a packed request."""
    items: list[Item] = [
        Heartbeat(T0),
        make_verdict(verdict_id="v1"),
        make_event(event_id="e1", prompt="Grüß dich", temperature=0.7),
        make_verdict(verdict_id="v2"),
        make_event(event_id="e2", prompt=None, sketch=Sketch(text_hash=2**52 - 1, embedding=bytes(range(32)))),
        packed_request(),
        Heartbeat(T0 + 1),
    ]
    batch = Batch(items, [3, 4, 7, 8, 9, 10, 11], 12)
    part = unpack_part(pack(Part.of(5, batch)))
    assert (part.partition, part.batch()) == (5, batch)


def packed_request() -> Item:
    """As ingest makes it of an event without text."""
    (item,) = Ingest().parse([record_of(make_event(prompt=None))])[0].items
    assert isinstance(item, PackedRequest)
    return item
