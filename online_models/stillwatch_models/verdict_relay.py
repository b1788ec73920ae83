"""The feedback agent's core: hands every verdict on into the log that the judged shard reads.

It decides nothing. A verdict that only travelled beside the request log would act at another moment in every run; as a
record of that log it acts at the same place live, after a restart and in a replay of the topic.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from stillwatch_schemas.verdicts import Verdict

from stillwatch_models.shard import Batch, Checkpoint, Outputs

CLOCK_ROW = b"m:clock"


class RelayClock(msgspec.Struct):
    """All there is to keep: where reading resumes, and how many verdicts of each label went through."""

    next_offset: int = 0
    labels: dict[str, int] = {}


class VerdictRelay:
    """One partition of the verdicts topic. Items: `Verdict`. Handing one on twice is harmless (`Feedback.is_news`)."""

    def __init__(self) -> None:
        self.clock = RelayClock()
        self._checkpointed = -1

    def process(self, batch: Batch[Verdict]) -> Outputs:
        """Hand on what has not been handed on yet."""
        start = self.clock.next_offset
        news = [verdict for verdict, offset in zip(batch.items, batch.offsets, strict=True) if offset >= start]
        for verdict in news:
            self.clock.labels[verdict.label] = self.clock.labels.get(verdict.label, 0) + 1
        self.clock.next_offset = max(start, batch.next_offset)
        return Outputs(verdicts=news)

    def finish(self) -> Outputs:
        """Nothing waits here."""
        return Outputs()

    def expire(self, now_ms: int) -> Outputs:  # noqa: ARG002 - part of the shard protocol
        """Nothing here runs out."""
        return Outputs()

    def checkpoint(self) -> Checkpoint | None:
        """The clock, when it moved."""
        if self.clock.next_offset <= self._checkpointed:
            return None
        self._checkpointed = self.clock.next_offset
        return Checkpoint(rows=self.snapshot(), next_offset=self.clock.next_offset)

    def snapshot(self) -> dict[bytes, bytes]:
        """Every row."""
        ordered = RelayClock(self.clock.next_offset, dict(sorted(self.clock.labels.items())))
        return {CLOCK_ROW: msgspec.json.encode(ordered)}

    def restore(self, rows: Mapping[bytes, bytes]) -> int:
        """Take over the rows of a snapshot; returns the offset to read from."""
        self.clock = msgspec.json.decode(rows[CLOCK_ROW], type=RelayClock)
        self._checkpointed = self.clock.next_offset
        return self.clock.next_offset
