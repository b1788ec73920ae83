"""The group agent's core: groups of accounts against their own past, and against what their members show themselves.

A group is what accounts share: an autonomous system, a network, a payment instrument, a client, a template, a topic
cell. What is counted of each stands in `group_table`; what happens at the end of a group window in `group_windows`.

A pane of the group is closed when every source partition has closed it, so the result does not depend on how the
partitions' messages interleave. A source that lags behind by more than `source_silence_seconds` is passed over; what
it says later is folded into the oldest open pane and counted. Contributions are set, not added: a redelivered one
replaces itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter

import msgspec
from stillwatch_schemas.errors import StateError
from stillwatch_schemas.signals import Contribution, PaneClosed, Signal

from stillwatch_models.config import EngineConfig
from stillwatch_models.group_kinds import KINDS
from stillwatch_models.group_state import Population
from stillwatch_models.group_table import GroupTable
from stillwatch_models.group_windows import WindowEnds
from stillwatch_models.panes import UNSEEN
from stillwatch_models.shard import Batch, Checkpoint, Outputs

GROUP_ROW, CLOCK_ROW = b"g:", b"m:clock"
GROUP_VERSION = 2
"""Changes with the layout of the rows."""

Waiting = dict[tuple[str, int, int], tuple[int, Contribution]]
"""By (group, source, pane of its own): a contribution and its offset."""


class GroupClock(msgspec.Struct):
    """The small part of the state."""

    next_offset: int
    closed_pane: int
    progress: dict[int, int]
    measures: dict[str, float] = {}
    """What the numbers of panes and windows are counted in; see `config.MEASURES`."""
    first_pane: int = UNSEEN
    population: Population = msgspec.field(default_factory=Population)
    counters: dict[str, int] = {}
    version: int = 1


class GroupEngine:
    """One partition of the signals topic. Items: `Contribution` or `PaneClosed`."""

    def __init__(self, config: EngineConfig, partition: int, sources: int) -> None:
        self.config = config
        self.partition = partition
        self.counters = {"contributions": 0, "late": 0, "evicted": 0, "watched": 0}
        self._window_panes = max(1, round(config.group_window_seconds / config.pane_seconds))
        self._silence_panes = round(config.source_silence_seconds / config.pane_seconds)
        self._table = GroupTable(config.max_groups, config.group_history_windows, self.counters)
        self._ends = WindowEnds(config, self._table, self.counters, partition)
        self._progress: dict[int, int] = dict.fromkeys(range(sources), UNSEEN)
        self._first_pane = UNSEEN
        self._waiting: dict[int, Waiting] = {}
        """By pane."""
        self._closed_pane = UNSEEN
        self._next_offset = 0
        self._checkpointed = -1

    def process(self, batch: Batch[Signal]) -> Outputs:
        """Take contributions; panes that every source has closed are counted."""
        for item, offset in zip(batch.items, batch.offsets, strict=True):
            self._first_pane = item.pane if self._first_pane == UNSEEN else min(self._first_pane, item.pane)
            if isinstance(item, PaneClosed):
                self._progress[item.source] = max(self._progress.get(item.source, UNSEEN), item.pane)
            elif _is_counted(item.group):
                self._take(item, offset)
        self._next_offset = max(self._next_offset, batch.next_offset)
        return self._close(self._released())

    def finish(self) -> Outputs:
        """Close every pane that has contributions: the end of a finite input."""
        return self._close(max(self._waiting, default=self._closed_pane))

    def expire(self, now_ms: int) -> Outputs:  # noqa: ARG002 - part of the shard protocol; groups age by event time
        """Nothing here runs out by the clock."""
        return Outputs()

    def gauges(self) -> dict[str, int]:
        """What is counted, and what there is now."""
        front = max(self._progress.values())
        silent = sum(pane < front - self._silence_panes for pane in self._progress.values())
        return {**self.counters, "groups": len(self._table), "silent_sources": silent}

    def _take(self, item: Contribution, offset: int) -> None:
        """Let a contribution wait for its pane. In a closed pane it is a redelivery, or its source was passed over."""
        pane = item.pane
        if pane <= self._closed_pane:
            if pane <= self._progress.get(item.source, UNSEEN):
                return
            self.counters["late"] += 1
            pane = self._closed_pane + 1
        self._waiting.setdefault(pane, {})[item.group, item.source, item.pane] = (offset, item)

    def _released(self) -> int:
        """The last pane that nobody holds: sources that lag too far behind the first are not waited for."""
        front = max(self._progress.values())
        if front == UNSEEN:
            return UNSEEN
        lowest = front - self._silence_panes
        if self._first_pane > lowest:
            return min(self._progress.values())
        return min(max(pane, lowest) for pane in self._progress.values())

    # -- a pane's end --------------------------------------------------------------------------------------------

    def _close(self, last_pane: int) -> Outputs:
        out = Outputs()
        for pane in sorted(pane for pane in self._waiting if pane <= last_pane):
            window = pane // self._window_panes
            self._end_windows(window, out)
            self._table.begin(window)
            contributions = self._waiting.pop(pane)
            for group, keys in groupby(sorted(contributions), key=itemgetter(0)):
                self._table.count(group, window, [contributions[key][1] for key in keys])
        if last_pane > self._closed_pane:
            self._closed_pane = last_pane
            self._end_windows((last_pane + 1) // self._window_panes, out)
        return out

    def _end_windows(self, window: int, out: Outputs) -> None:
        """End every window before `window`."""
        for earlier, group in self._table.end(window):
            found = self._ends.end(group, earlier)
            self._table.ended(group)
            if found is not None:
                out.findings.append(found)

    # -- putting down and picking up -----------------------------------------------------------------------------

    def checkpoint(self) -> Checkpoint | None:
        """Groups touched since the last checkpoint and the offset of the first contribution still waiting."""
        offset = self._resume_from()
        if not self._table.dirty and offset <= self._checkpointed:
            return None
        rows = {GROUP_ROW + group.encode(): row for group, row in self._table.take_dirty()}
        rows[CLOCK_ROW] = self._clock_row()
        self._checkpointed = offset
        return Checkpoint(rows=rows, next_offset=offset)

    def snapshot(self) -> dict[bytes, bytes]:
        """Every row, in key order."""
        rows = {GROUP_ROW + group.encode(): row for group, row in self._table.dump()}
        return {**rows, CLOCK_ROW: self._clock_row()}

    def restore(self, rows: Mapping[bytes, bytes]) -> int:
        """Take over the rows of a snapshot; returns the offset to read from."""
        clock = msgspec.json.decode(rows[CLOCK_ROW], type=GroupClock)
        if clock.version != GROUP_VERSION:
            raise StateError(
                f"the groups' checkpoint of partition {self.partition} has state version {clock.version}, this build "
                f"reads {GROUP_VERSION}: run the version that wrote it, or start afresh with --reset-state"
            )
        self.config.refuse_other_measures(clock.measures, self.partition)
        self._next_offset = self._checkpointed = clock.next_offset
        self._closed_pane, self._first_pane = clock.closed_pane, clock.first_pane
        self._table.population = clock.population
        self.counters.update(clock.counters)
        self._progress.update(clock.progress)
        for key, row in rows.items():
            if key.startswith(GROUP_ROW):
                self._table.load(key[len(GROUP_ROW) :].decode(), row)
        return clock.next_offset

    def _resume_from(self) -> int:
        waiting = (offset for pane in self._waiting.values() for offset, _ in pane.values())
        return min(waiting, default=self._next_offset)

    def _clock_row(self) -> bytes:
        clock = GroupClock(
            next_offset=self._resume_from(),
            closed_pane=self._closed_pane,
            progress=self._progress,
            measures=self.config.measures(),
            first_pane=self._first_pane,
            population=self._table.population,
            counters=self.counters,
            version=GROUP_VERSION,
        )
        return msgspec.json.encode(clock)


def _is_counted(group: str) -> bool:
    """A newer account agent may already send other kinds, which are passed over."""
    kind, _, name = group.partition(":")
    return kind in KINDS and bool(name)
