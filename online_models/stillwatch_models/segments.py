"""How the events of closed panes are cut into segments, each folded, scored and told at once.

Where the cuts lie depends on the events and on the state before them, and on nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from stillwatch_models.columns import Events
from stillwatch_models.panes import Int64s
from stillwatch_models.rulings import Heard

CELLS_AT_ONCE = 4_096
"""Events of several panes folded together."""
PART_OF_A_PANE = 16_384
"""A pane of more events is folded in parts of whole accounts, which bounds memory and suits the processor's cache."""


def segments(
    events: Events, *, epoch_panes: int, due: Sequence[Heard], fitting: Callable[[int, int], int]
) -> Iterator[tuple[int, int]]:
    """Runs of whole panes that lie in one reference epoch, have no verdict inside, and can be folded at once.

    Each segment has to be dealt with before the next is asked for: `due` are the verdicts that wait for it then, and
    `fitting(start, end)` is how far the accounts of a segment fit into memory.
    """
    panes, start = events["pane"], 0
    while start < len(events):
        pane = int(panes[start])
        end = int(np.searchsorted(panes, (pane // epoch_panes + 1) * epoch_panes, side="left"))
        if end - start > CELLS_AT_ONCE:
            cut = int(panes[start + CELLS_AT_ONCE])
            end = int(np.searchsorted(panes, max(cut, pane + 1), side="left"))
        if end - start > PART_OF_A_PANE:
            yield from _parts(events["row"][start:end], start)
        else:
            if due:
                end = min(end, int(np.searchsorted(panes, max(due[0].pane, pane), side="right")))
            end = fitting(start, end)
            yield start, end
        start = end


def _parts(rows: Int64s, start: int) -> Iterator[tuple[int, int]]:
    """Parts of one pane that begins at `start`, cut between accounts."""
    cuts = np.append(np.flatnonzero(np.diff(rows)) + 1, len(rows))
    begin = 0
    while begin < len(rows):
        end = int(cuts[np.searchsorted(cuts, min(begin + PART_OF_A_PANE, len(rows)))])
        yield start + begin, start + end
        begin = end
