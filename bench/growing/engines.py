"""The account engine and the group engine of one partition, fed by hand and timed."""

from __future__ import annotations

import time
from collections.abc import Sequence

from stillwatch_models.config import EngineConfig
from stillwatch_models.engine import AccountEngine
from stillwatch_models.groups import GroupEngine
from stillwatch_models.shard import Batch
from stillwatch_schemas.events import Heartbeat, RequestEvent


class Engines:
    """Both engines, the offsets of what they were fed, and the processor time that they took."""

    def __init__(self, config: EngineConfig) -> None:
        self.accounts = AccountEngine(config, 0)
        self.groups = GroupEngine(config, 0, 1)
        self.account_seconds = self.group_seconds = self.checkpoint_seconds = 0.0
        self.checkpoints = self.checkpoint_rows = self.checkpoint_bytes = 0
        self._offset = self._signal_offset = 0

    def feed(self, items: Sequence[RequestEvent | Heartbeat]) -> None:
        """One fetch of events, and the signals that come of it."""
        first, self._offset = self._offset, self._offset + len(items)
        began = time.process_time()
        outputs = self.accounts.process(Batch(list(items), list(range(first, self._offset)), self._offset))
        between = time.process_time()
        first, self._signal_offset = self._signal_offset, self._signal_offset + len(outputs.signals)
        signals = Batch(outputs.signals, list(range(first, self._signal_offset)), self._signal_offset)
        self.groups.process(signals)
        self.account_seconds += between - began
        self.group_seconds += time.process_time() - between

    def checkpoint(self) -> None:
        """What the service does every second, without writing it anywhere."""
        began = time.process_time()
        done = [one for one in (self.accounts.checkpoint(), self.groups.checkpoint()) if one is not None]
        self.checkpoint_seconds += time.process_time() - began
        self.checkpoints += 1
        self.checkpoint_rows += sum(len(one.rows) for one in done)
        self.checkpoint_bytes += sum(len(key) + len(row or b"") for one in done for key, row in one.rows.items())

    def reset_counts(self) -> None:
        """Forget what was used until now."""
        self.account_seconds = self.group_seconds = self.checkpoint_seconds = 0.0
        self.checkpoints = self.checkpoint_rows = self.checkpoint_bytes = 0
