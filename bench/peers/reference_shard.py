"""The reference work as a Stillwatch shard: a small engine that the product's own runner drives and checkpoints.

Unlike the peers it keeps the forest across restarts too: its rows and every account's window are in the checkpoint.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from stillwatch_models.learners.half_space_trees import HalfSpaceForest, Shape
from stillwatch_models.shard import Batch, Checkpoint, Outputs
from stillwatch_schemas.errors import ContractError

from peers.columns import Windows
from peers.work import ALERT_ABOVE, FEATURES, FOREST_WINDOW, HEIGHT, SEED, TREES, TYPICAL, WINDOW_MS, Alert, Request

FOREST_ROW = b"m:forest"
CLOCK_ROW = b"m:offset"
ACCOUNT_ROW = b"a:"
SCALE = np.array(TYPICAL)
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
        self._windows = Windows()
        self._dirty: set[str] = set()
        self._next_offset = 0
        self._written = -1

    def process(self, batch: Batch[Request]) -> ReferenceOutputs:
        """Fold, score and learn every event of the batch."""
        self._next_offset = batch.next_offset
        events = batch.items
        if not events:
            return ReferenceOutputs()
        accounts = [event.account_id for event in events]
        self._dirty.update(accounts)
        windows = np.array([event.ts for event in events]) // WINDOW_MS
        given = np.array([event.input_tokens for event in events])
        made = np.array([event.output_tokens for event in events])
        latency = np.array([event.latency_ms for event in events])
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
        rows: dict[bytes, bytes | None] = {**self._rows(self._dirty), **self._rest()}
        self._dirty.clear()
        self._written = self._next_offset
        return Checkpoint(rows=rows, next_offset=self._next_offset)

    def snapshot(self) -> dict[bytes, bytes]:
        """Every row."""
        return self._rows(sorted(self._windows.accounts())) | self._rest()

    def restore(self, rows: Mapping[bytes, bytes]) -> int:
        """Take over every row; where to read on."""
        start = len(ACCOUNT_ROW)
        self._windows.load({key[start:].decode(): row for key, row in rows.items() if key.startswith(ACCOUNT_ROW)})
        self._forest.load(rows[FOREST_ROW])
        self._next_offset = self._written = _OFFSET.unpack(rows[CLOCK_ROW])[0]
        return self._next_offset

    def _rows(self, accounts: Iterable[str]) -> dict[bytes, bytes]:
        return {ACCOUNT_ROW + name.encode(): row for name, row in self._windows.dump(accounts).items()}

    def _rest(self) -> dict[bytes, bytes]:
        return {FOREST_ROW: self._forest.dump(), CLOCK_ROW: _OFFSET.pack(self._next_offset)}


def _alerts(events: Sequence[Request], scores: NDArray[np.float64]) -> list[Alert]:
    return [
        Alert(events[at].event_id, events[at].account_id, float(scores[at]))
        for at in np.flatnonzero(scores > ALERT_ABOVE).tolist()
    ]
