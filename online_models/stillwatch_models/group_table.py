"""The groups of one partition: what is counted of each in its window under way, and which are kept.

Groups are bounded: those not seen for longest go first, of these the smallest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from stillwatch_schemas.signals import Contribution

from stillwatch_models import distinct
from stillwatch_models.group_kinds import CROWDS
from stillwatch_models.group_state import EXAMPLES, GroupState, Named, Population
from stillwatch_models.panes import UNSEEN

KEEP_SHARE = 0.95
"""Of the allowed groups, so many stay when some must go: making room costs a sort."""

Rows = Iterator[tuple[str, bytes | None]]


class GroupTable:
    """Groups by name (`net:192.0.2.0/24`), and what they are like together."""

    def __init__(self, max_groups: int, history: int, counters: dict[str, int]) -> None:
        self.population = Population()
        self._max_groups = max_groups
        self._history = history
        self._counters = counters
        self._groups: dict[str, GroupState] = {}
        self._touched: set[str] = set()
        """Groups with a window under way, or with an incident."""
        self._dirty: set[str] = set()
        self._ended = UNSEEN
        """Windows before this one have ended."""

    def __len__(self) -> int:
        return len(self._groups)

    def __getitem__(self, group: str) -> GroupState:
        return self._groups[group]

    # -- a window under way --------------------------------------------------------------------------------------

    def begin(self, window: int) -> None:
        """Let the past fade up to a window that is about to be counted."""
        self.population.advance(window, self._history)

    def count(self, group: str, window: int, shares: Sequence[Contribution]) -> None:
        """Count what the sources say of a group in a pane of this window."""
        population, around = self.population, self.population.of(group.partition(":")[0])
        state = self._groups.get(group)
        if state is None:
            state = self._groups[group] = GroupState(window=window, before=[])
        now = state.now
        now.window = window
        for share in shares:
            self._counters["contributions"] += 1
            now.arrivals += share.new_accounts
            now.accounts += share.accounts_total
            now.events += share.events
            now.fresh += share.fresh_accounts
            now.together += share.together
            now.expected += share.together_expected
            if len(now.examples) < EXAMPLES:
                now.examples = [*now.examples, *share.event_ids][:EXAMPLES]
            now.meet(Named(share.accounts, share.weights, share.evidence, share.created))
            if share.distinct:
                state.distinct = distinct.merged(state.distinct, share.distinct)
            population.bear(share.created)
            population.hear(share.source, share.accounts_so_far)
            around.together += share.together
            around.expected += share.together_expected
        self._touched.add(group)
        self._dirty.add(group)

    # -- a window's end ------------------------------------------------------------------------------------------

    def end(self, window: int) -> Iterator[tuple[int, str]]:
        """Groups whose window before `window` ends, the earliest first; each must be told `ended` in turn.

        So one long step equals many short ones.
        """
        if window <= self._ended:
            return
        self._ended = window
        while behind := sorted((self._open_window(g), g) for g in self._touched if self._open_window(g) < window):
            earliest = behind[0][0]
            yield from ((at, group) for at, group in behind if at == earliest)
            self._make_room()

    def ended(self, group: str) -> None:
        """A group's window has ended; without an incident nothing is to be done until it is seen again."""
        self._dirty.add(group)
        if not self._groups[group].incident_pane:
            self._touched.discard(group)

    def _open_window(self, group: str) -> int:
        """The window under way; after a silence the one with contributions, where there is no incident to close."""
        state = self._groups[group]
        return state.now.window if state.now.accounts and not state.incident_pane else state.window

    def _make_room(self) -> None:
        if len(self._groups) <= self._max_groups:
            return
        idle = sorted((s.window, s.events, g) for g, s in self._groups.items() if g not in self._touched)
        for _, _, group in idle[: len(self._groups) - int(KEEP_SHARE * self._max_groups)]:
            state = self._groups.pop(group)
            self.population.count(() if group.partition(":")[0] in CROWDS else state.members.values(), -1)
            self._dirty.add(group)
            self._counters["evicted"] += 1

    # -- putting down and picking up -----------------------------------------------------------------------------

    @property
    def dirty(self) -> bool:
        """Whether a group changed since its row was last taken."""
        return bool(self._dirty)

    def take_dirty(self) -> Rows:
        """Rows of the groups that changed, by name; None for those that are gone."""
        for group in sorted(self._dirty):
            state = self._groups.get(group)
            yield group, None if state is None else msgspec.json.encode(state)
        self._dirty.clear()

    def dump(self) -> Iterator[tuple[str, bytes]]:
        """Every row, by name."""
        for group, state in sorted(self._groups.items()):
            yield group, msgspec.json.encode(state)

    def load(self, group: str, row: bytes) -> None:
        """Take over a row."""
        state = self._groups[group] = msgspec.json.decode(row, type=GroupState)
        if state.now.accounts or state.incident_pane:
            self._touched.add(group)
