"""The core's hot functions, each on a fixed piece of work, and a yardstick that depends on none of our code.

A workload is made ready once (not counted) and gives a function to count. Warm-up and count get a fresh one each.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
import numpy as np
from live.traffic import HOUR_MS, START_MS, Dense, dense, encoded, quick_event
from stillwatch_models.config import EngineConfig
from stillwatch_models.engine import AccountEngine
from stillwatch_models.learners.half_space_trees import HalfSpaceForest, Shape
from stillwatch_models.shard import Batch
from stillwatch_schemas.events import Heartbeat
from stillwatch_schemas.sketch import Sketcher
from stillwatch_streams.ingest import Ingest

EVENTS = 2_000
BATCH = 500
CONFIG = EngineConfig(pane_seconds=1.0, lateness_seconds=1.0, reference_seconds=2.0, min_reference_accounts=20)

Run = Callable[[], object]


class _Record(msgspec.Struct, frozen=True):
    """What ingest needs of a record."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


def yardstick() -> Run:
    """Interpreter, dictionary, JSON and NumPy work in about the proportions of ours, and none of it ours."""
    rng = random.Random(3)  # noqa: S311 - seeded, on purpose
    lines = [msgspec.json.encode({"id": f"k{rng.randrange(500)}", "x": rng.random()}) for _ in range(EVENTS)]

    def run() -> None:
        sums: dict[str, float] = {}
        for line in lines:
            row = msgspec.json.decode(line)
            sums[row["id"]] = sums.get(row["id"], 0.0) + row["x"]
        values = np.tile(np.array(list(sums.values())), 50)
        for _ in range(20):
            np.bincount((np.sort(values) * 10).astype(np.intp))

    return run


def decode_sketched() -> Run:
    """Records with the emitter's sketch to events."""
    records, ingest = _records(text=False), Ingest(sketcher=Sketcher(b"a key for benchmarks only"))
    return lambda: ingest.decode(records)


def decode_text() -> Run:
    """Records with text to events with sketches."""
    records, ingest = _records(text=True)[:BATCH], Ingest(sketcher=Sketcher(b"a key for benchmarks only"))
    return lambda: ingest.decode(records)


def engine() -> Run:
    """Fold, close panes, score, learn: an account engine from its first event to the last pane's end."""
    batches = _engine_events()
    return lambda: _engine(batches)


def checkpoint() -> Run:
    """The dirty rows of an engine after all that."""
    busy = _engine(_engine_events())
    return busy.checkpoint


def forest() -> Run:
    """Half-Space Trees: score and learn."""
    trees = HalfSpaceForest(tuple("abcdefgh"), Shape(trees=25, window=250))
    rows = np.random.default_rng(5).random((EVENTS, 8))
    return lambda: trees.score_then_learn(rows)


WORKLOADS: dict[str, Callable[[], Run]] = {
    "decode_sketched": decode_sketched,
    "decode_text": decode_text,
    "engine": engine,
    "checkpoint": checkpoint,
    "forest": forest,
}


def _records(*, text: bool) -> list[_Record]:
    wanted = Dense(events=EVENTS, accounts=300, seconds=10.0, text=text)
    return [_Record(offset, ts, key, value) for offset, (key, value, ts) in enumerate(encoded(dense(wanted)))]


def _engine_events() -> list[Batch[object]]:
    rng = random.Random(4)  # noqa: S311 - seeded, on purpose
    events = [
        quick_event(rng, f"e{number}", f"account-{rng.randrange(300)}", START_MS + number * 5)
        for number in range(EVENTS)
    ]
    batches: list[Batch[object]] = [
        Batch(list(events[at : at + BATCH]), list(range(at, at + BATCH)), at + BATCH) for at in range(0, EVENTS, BATCH)
    ]
    return [*batches, Batch([Heartbeat(events[-1].ts + HOUR_MS)], [EVENTS], EVENTS + 1)]


def _engine(batches: list[Batch[object]]) -> AccountEngine:
    account = AccountEngine(CONFIG, 0)
    for batch in batches:
        account.process(batch)  # type: ignore[arg-type]  # its items are requests and a heartbeat
    return account
