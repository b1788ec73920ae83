"""Privacy mode loses nothing: a worker sees the same whether the emitter or the worker itself sketches the texts."""

from __future__ import annotations

from itertools import islice

from stillwatch_models.columns import REQUESTS, build
from stillwatch_models.shard import Batch
from stillwatch_schemas.events import RequestEvent
from stillwatch_schemas.sketch import Sketcher, with_sketch
from stillwatch_streams.ingest import Ingest, Item
from stillwatch_streams.simulator import generate, load_scenario
from support.builders import T0
from support.records import record_of, unpacked

KEY = b"a key for tests, nothing more"


def test_events_with_the_emitters_sketch_equal_events_with_text() -> None:
    """After ingest nothing is left to tell one from the other, so every alert and score is the same."""
    events = [labelled.event for labelled in islice(generate(load_scenario("tiny"), 3, T0), 600)]
    assert any(event.prompt and event.system_prompt for event in events)
    emitter = Sketcher(KEY)
    (with_text, no_letters), (sketched, none_either) = (
        Ingest(sketcher=Sketcher(KEY)).decode([record_of(event, offset) for offset, event in enumerate(each)])
        for each in (events, [with_sketch(event, emitter) for event in events])
    )
    assert no_letters == none_either == []
    assert with_text.offsets == sketched.offsets
    assert unpacked(with_text.items) == unpacked(sketched.items)
    assert columns_of(with_text) == columns_of(sketched)
    assert all(isinstance(item, RequestEvent) and item.sketch for item in with_text.items)


def columns_of(batch: Batch[Item]) -> bytes:
    """What the engine makes of a batch."""
    requests = [item for item in batch.items if isinstance(item, REQUESTS)]
    return build(requests, batch.offsets).tobytes()
