"""River's Half-Space Trees, a mini-batch at a time.

Tan, Ting and Liu, "Fast anomaly detection for streaming data" (IJCAI 2011), as in `river.anomaly.HalfSpaceTrees`: the
trees are River's own, built from the seed, and every score equals River's to the last bit (tested). Only the walk is
different: compiled, all rows down all trees.

Two observations make it fast. Masses are needed at the leaves only, because an inner node's mass is the sum below it.
And between two pivots the reference masses are frozen, so a leaf's score, early stop included, is a constant: one
table look-up a row and tree.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray
from river import anomaly
from stillwatch_schemas.compiled import compiled

Floats = NDArray[np.float64]


class Shape(msgspec.Struct, frozen=True):
    """Size of a forest."""

    trees: int = 25
    height: int = 8
    window: int = 250
    """Rows learned between two pivots."""
    seed: int = 7


class HalfSpaceForest:
    """Half-Space Trees over a fixed list of features, each scaled to [0, 1]."""

    def __init__(self, features: tuple[str, ...], shape: Shape) -> None:
        self.shape = shape
        inner, leaves = 2**shape.height - 1, 2**shape.height
        self._split_feature = np.zeros((shape.trees, inner), np.uint32)
        self._split_at = np.zeros((shape.trees, inner))
        self._take_splits_from_river(features)
        self._mass = np.zeros((shape.trees, leaves), np.int64)
        """Leaf masses of the window under way."""
        self._leaf_score = np.zeros((shape.trees, leaves))
        """What a row in this leaf adds to River's sum, by the reference window."""
        self.learned = 0
        """Rows learned since the last pivot."""
        self.ready = False
        """River scores 0 until the first window is full."""
        self._leaves(np.zeros((0, len(features))))  # compiles the walk before there is anything to score

    def _take_splits_from_river(self, features: tuple[str, ...]) -> None:
        shape = self.shape
        river = anomaly.HalfSpaceTrees(
            n_trees=shape.trees, height=shape.height, window_size=shape.window, seed=shape.seed
        )
        river.learn_one(dict.fromkeys(features, 0.5))  # River builds its trees at the first row
        # River orders the features by name when it draws a split; ours keep the order of the table.
        position = {name: i for i, name in enumerate(features)}
        for tree, root in enumerate(river.trees):
            level = [root]
            node = 0
            for _ in range(shape.height):
                below = []
                for branch in level:
                    self._split_feature[tree, node] = position[branch.feature]
                    self._split_at[tree, node] = branch.threshold
                    below.extend(branch.children)
                    node += 1
                level = below

    def room(self) -> int:
        """Rows that may still be learned before the next pivot: scores cannot change until then."""
        return self.shape.window - self.learned

    def score(self, rows: Floats) -> Floats:
        """Anomaly score of each row (n, features), 0 to 1, higher is stranger; 0 before the first window is full."""
        return self._scores(self._leaves(rows)) if self.ready else np.zeros(len(rows))

    def learn(self, rows: Floats) -> None:
        """Learn at most `room()` rows; pivots when the window is full."""
        if len(rows) > self.room():
            raise ValueError(f"{len(rows)} rows to learn, but the window has room for {self.room()}: split the batch")
        if len(rows):
            self._add(self._leaves(rows))

    def score_then_learn(self, rows: Floats) -> Floats:
        """Score each row and learn it before the next, as in River's loop; any number of rows, one walk for both."""
        leaves = self._leaves(rows)
        scores = np.zeros(len(rows))
        first = 0
        while first < len(rows):
            some = slice(first, min(first + self.room(), len(rows)))
            if self.ready:
                scores[some] = self._scores(leaves[:, some])
            self._add(leaves[:, some])
            first = some.stop
        return scores

    def _scores(self, leaves: NDArray[np.intp]) -> Floats:
        shape = self.shape
        total = np.zeros(leaves.shape[1])
        for score, own in zip(self._leaf_score, leaves, strict=True):  # tree by tree, as River adds them up
            total += score.take(own)
        return np.asarray(1 - total / (shape.trees * shape.window * (2 ** (shape.height + 1) - 1)))

    def _add(self, leaves: NDArray[np.intp]) -> None:
        for tree, own in enumerate(leaves):
            self._mass[tree] += np.bincount(own, minlength=self._mass.shape[1])
        self.learned += leaves.shape[1]
        if self.learned == self.shape.window:
            self._pivot()

    def _leaves(self, rows: Floats) -> NDArray[np.intp]:
        """Leaf of each row in each tree, shape (trees, n)."""
        leaves = np.empty((len(self._split_at), len(rows)), np.intp)
        walk(np.ascontiguousarray(rows), self._split_feature, self._split_at, self.shape.height, leaves)
        return leaves

    def _pivot(self) -> None:
        self._leaf_score = _leaf_scores(self._mass, self.shape)
        self._mass[:] = 0
        self.learned = 0
        self.ready = True

    def dump(self) -> bytes:
        """Counters, leaf masses (u4) and leaf scores (f8) as bytes."""
        head = np.array([self.learned, self.ready], "<u4").tobytes()
        return head + self._mass.astype("<u4").tobytes() + self._leaf_score.astype("<f8").tobytes()

    def load(self, data: bytes) -> None:
        """Take over a dump of a forest of the same shape."""
        count = self._mass.size
        if len(data) != 8 + 12 * count:
            raise ValueError(f"a dump of {len(data)} bytes does not fit a forest of {count} leaves")
        learned, ready = np.frombuffer(data, "<u4", 2).tolist()
        self.learned, self.ready = learned, bool(ready)
        self._mass = np.frombuffer(data, "<u4", count, 8).astype(np.int64).reshape(self._mass.shape)
        self._leaf_score = np.frombuffer(data, "<f8", count, 8 + 4 * count).reshape(self._mass.shape).copy()


@compiled
def walk(
    rows: Floats, split_feature: NDArray[np.uint32], split_at: Floats, height: int, leaves: NDArray[np.intp]
) -> None:
    """Take every row down every tree; `leaves` (trees, n) is filled.

    Whole numbers without a sign, because a negative index would be looked for at every step.
    """
    trees, inner = split_at.shape
    for tree in range(trees):
        for row in range(len(rows)):
            node = np.uint32(0)
            for _ in range(height):
                goes_right = rows[row, split_feature[tree, node]] >= split_at[tree, node]
                node = np.uint32(2 * node + 1 + goes_right)
            leaves[tree, row] = node - inner


def _leaf_scores(mass: NDArray[np.int64], shape: Shape) -> Floats:
    """River's `_walk_score` for every leaf: sum of mass * 2^depth from the root down to a node that is nearly empty."""
    levels = [mass]
    while levels[-1].shape[1] > 1:
        levels.append(levels[-1][:, 0::2] + levels[-1][:, 1::2])
    score = np.zeros((len(mass), 1))
    going = np.ones((len(mass), 1), bool)
    for depth, node_mass in enumerate(reversed(levels)):
        if depth:
            score, going = np.repeat(score, 2, axis=1), np.repeat(going, 2, axis=1)
        score = np.where(going, score + node_mass * float(2**depth), score)
        going &= ~(node_mass < 0.1 * shape.window)
    return score
