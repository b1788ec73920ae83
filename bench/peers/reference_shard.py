"""The reference work as a Stillwatch shard: a small engine that the product's own runner drives and checkpoints.

Unlike the peers it keeps the forest across restarts too: its rows and every account's window are in the checkpoint.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from stillwatch_models.learners.half_space_trees import HalfSpaceForest, Shape
from stillwatch_models.shard import Batch, Checkpoint, Outputs
from stillwatch_schemas.errors import ContractError

from peers.work import ALERT_ABOVE, FEATURES, FOREST_WINDOW, HEIGHT, SEED, TREES, TYPICAL, WINDOW_MS, Alert, Request

FOREST_ROW = b"m:forest"
CLOCK_ROW = b"m:offset"
ACCOUNT_ROW = b"a:"
_WINDOW = struct.Struct("<qqq")
_OFFSET = struct.Struct("<q")
_decoder = msgspec.json.Decoder(Request)


class ReferenceOutputs(Outputs, kw_only=True):
    """Outputs of the product's kinds (none) and the reference work's alerts."""

    alerts: Sequence[Alert] = ()


def decode(value: bytes | None) -> Request:
    """One event; ContractError where it is none."""
    try:
        return _decoder.decode(value or b"")
    except msgspec.MsgspecError as error:
        raise ContractError("malformed_json", str(error)) from error


class ReferenceShard:
    """One partition: windows by account, one forest."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self._forest = HalfSpaceForest(FEATURES, Shape(trees=TREES, height=HEIGHT, window=FOREST_WINDOW, seed=SEED))
        self._windows: dict[str, list[int]] = {}
        """Account → [window, requests, tokens]."""
        self._dirty: set[str] = set()
        self._next_offset = 0
        self._written = -1

    def process(self, batch: Batch[Request]) -> ReferenceOutputs:
        """Fold, score and learn every event of the batch."""
        self._next_offset = batch.next_offset
        if not batch.items:
            return ReferenceOutputs()
        raw = np.array(list(self._fold(batch.items)), np.float64)
        scores = self._forest.score_then_learn(raw / (raw + np.array(TYPICAL)))
        return ReferenceOutputs(alerts=_alerts(batch.items, scores))

    def _fold(self, events: Sequence[Request]) -> Iterator[tuple[float, ...]]:
        windows, get = self._windows, self._windows.get
        self._dirty.update([event.account_id for event in events])
        for event in events:
            number = event.ts // WINDOW_MS
            window = get(event.account_id)
            if window is None or window[0] != number:
                window = windows[event.account_id] = [number, 0, 0]
            window[1] += 1
            window[2] += event.input_tokens + event.output_tokens
            yield event.input_tokens, event.latency_ms, event.output_tokens, window[1], window[2]

    def finish(self) -> Outputs:
        """Nothing is open: every event has its answer."""
        return Outputs()

    def expire(self, now_ms: int) -> Outputs:  # noqa: ARG002 - part of the shard protocol
        """Nothing expires."""
        return Outputs()

    def checkpoint(self) -> Checkpoint | None:
        """Windows touched since the last call, the forest and the offset."""
        if self._next_offset == self._written:
            return None
        rows: dict[bytes, bytes | None] = {ACCOUNT_ROW + name.encode(): self._row(name) for name in self._dirty}
        rows |= self._rest()
        self._dirty.clear()
        self._written = self._next_offset
        return Checkpoint(rows=rows, next_offset=self._next_offset)

    def snapshot(self) -> dict[bytes, bytes]:
        """Every row."""
        return {ACCOUNT_ROW + name.encode(): self._row(name) for name in sorted(self._windows)} | self._rest()

    def restore(self, rows: Mapping[bytes, bytes]) -> int:
        """Take over every row; where to read on."""
        for key, row in rows.items():
            if key.startswith(ACCOUNT_ROW):
                self._windows[key[len(ACCOUNT_ROW) :].decode()] = list(_WINDOW.unpack(row))
        self._forest.load(rows[FOREST_ROW])
        self._next_offset = self._written = _OFFSET.unpack(rows[CLOCK_ROW])[0]
        return self._next_offset

    def _row(self, name: str) -> bytes:
        return _WINDOW.pack(*self._windows[name])

    def _rest(self) -> dict[bytes, bytes]:
        return {FOREST_ROW: self._forest.dump(), CLOCK_ROW: _OFFSET.pack(self._next_offset)}


def _alerts(events: Sequence[Request], scores: NDArray[np.float64]) -> list[Alert]:
    return [
        Alert(events[at].event_id, events[at].account_id, float(scores[at]))
        for at in np.flatnonzero(scores > ALERT_ABOVE).tolist()
    ]
