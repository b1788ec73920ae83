"""The reference work as a Stillwatch shard: a small engine that the product's own runner drives and checkpoints.

Unlike the peers it keeps the forest across restarts too: its rows and every account's window are in the checkpoint.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from operator import attrgetter

import msgspec
import numpy as np
from numpy.typing import NDArray
from stillwatch_models.learners.half_space_trees import HalfSpaceForest, Shape
from stillwatch_models.shard import Batch, Checkpoint, Outputs
from stillwatch_schemas.errors import ContractError
from stillwatch_streams.ingest import DeadLetter, Record
from stillwatch_streams.typed_decoder import TypedDecoder

from peers.columns import Windows
from peers.work import ALERT_ABOVE, FEATURES, FOREST_WINDOW, HEIGHT, SEED, TREES, TYPICAL, WINDOW_MS, Alert, Request

FOREST_ROW = b"m:forest"
CLOCK_ROW = b"m:offset"
WINDOWS_ROW = b"w:"
SCALE = np.array(TYPICAL)
_OFFSET = struct.Struct("<q")
_decoder = msgspec.json.Decoder(Request)


class ReferenceOutputs(Outputs, kw_only=True):
    """Outputs of the product's kinds (none) and the reference work's alerts."""

    alerts: Sequence[Alert] = ()


class RequestDecoder(TypedDecoder[Request]):
    """Decodes a fetch with nothing called for a good value but msgspec."""

    def __init__(self) -> None:
        super().__init__(decode)

    def __call__(self, records: Sequence[Record]) -> tuple[Batch[Request], list[DeadLetter]]:
        """Requests and dead letters of at least one record, in offset order."""
        try:
            events = list(map(_decoder.decode, [record.value or b"" for record in records]))
        except msgspec.MsgspecError:
            return super().__call__(records)
        return Batch(events, [record.offset for record in records], records[-1].offset + 1), []


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
        self._windows = Windows()
        self._next_offset = 0
        self._written = -1

    def process(self, batch: Batch[Request]) -> ReferenceOutputs:
        """Fold, score and learn every event of the batch."""
        self._next_offset = batch.next_offset
        events = batch.items
        if not events:
            return ReferenceOutputs()
        accounts = [event.account_id for event in events]
        ts, given, made = (
            np.fromiter(map(attrgetter(name), events), np.int64, len(events))
            for name in ("ts", "input_tokens", "output_tokens")
        )
        latency = np.fromiter(map(attrgetter("latency_ms"), events), np.float64, len(events))
        windows = ts // WINDOW_MS
        raw = np.column_stack((given, latency, made, *self._windows.fold(accounts, windows, given + made)))
        scores = self._forest.score_then_learn(raw / (raw + SCALE))
        return ReferenceOutputs(alerts=_alerts(events, scores))

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
        rows: dict[bytes, bytes | None] = {**self._rows(self._windows.take_touched())}
        self._written = self._next_offset
        return Checkpoint(rows=rows, next_offset=self._next_offset)

    def snapshot(self) -> dict[bytes, bytes]:
        """Every row."""
        return self._rows(self._windows.dump())

    def restore(self, rows: Mapping[bytes, bytes]) -> int:
        """Take over every row; where to read on."""
        start = len(WINDOWS_ROW)
        self._windows.load({key[start:]: row for key, row in rows.items() if key.startswith(WINDOWS_ROW)})
        self._forest.load(rows[FOREST_ROW])
        self._next_offset = self._written = _OFFSET.unpack(rows[CLOCK_ROW])[0]
        return self._next_offset

    def _rows(self, pages: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        windows = {WINDOWS_ROW + number: page for number, page in pages.items()}
        return {**windows, FOREST_ROW: self._forest.dump(), CLOCK_ROW: _OFFSET.pack(self._next_offset)}


def _alerts(events: Sequence[Request], scores: NDArray[np.float64]) -> list[Alert]:
    return [
        Alert(events[at].event_id, events[at].account_id, float(scores[at]))
        for at in np.flatnonzero(scores > ALERT_ABOVE).tolist()
    ]
