"""When each model was first seen: a release is news for two days.

What the shard meets in its own first two days is not news: every model is seen for the first time then.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from stillwatch_models.columns import Events

MOST_MODELS = 4_096
"""Models remembered; beyond it a new name is no release (fine-tunes named by customers are legion)."""


class ModelAges:
    """First pane of each model of one partition, by the hash of its name."""

    def __init__(self, fresh_panes: int) -> None:
        self.fresh_panes = fresh_panes
        self._first: dict[int, int] = {}

    def look_up(self, events: Events) -> NDArray[np.bool_]:
        """Take in the models of a segment, sorted by pane; which events go to a model released a short time ago."""
        names, at, inverse = np.unique(events["model"], return_index=True, return_inverse=True)
        panes = events["pane"]
        for position in np.argsort(at, kind="stable").tolist():
            if len(self._first) < MOST_MODELS:
                self._first.setdefault(int(names[position]), int(panes[at[position]]))
        begun = min(self._first.values(), default=0)
        known = np.array([self._first.get(name, begun) for name in names.tolist()], np.int64)
        released = known - begun >= self.fresh_panes
        age = panes - known[inverse]
        return np.asarray(released[inverse] & (age < self.fresh_panes) & (events["model"] != 0))

    def dump(self) -> bytes:
        """JSON: hash of the name → first pane."""
        return msgspec.json.encode(dict(sorted(self._first.items())))

    def load(self, data: bytes) -> None:
        """Take over a dump."""
        self._first = msgspec.json.decode(data, type=dict[int, int])
