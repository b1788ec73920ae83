"""The mini-batch forest equals River's Half-Space Trees to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import anomaly
from stillwatch_models.learners.half_space_trees import HalfSpaceForest, Shape

FEATURES = ("zeta", "alpha", "mu")
SHAPE = Shape(trees=7, height=5, window=40, seed=11)


def rows_of(seed: int, n: int = 300) -> np.ndarray:
    """Rows in [0, 1], clumped, with exact repeats and borders."""
    rng = np.random.default_rng(seed)
    rows = np.clip(rng.normal(0.5, 0.2, (n, len(FEATURES))), 0, 1)
    rows[::10] = np.round(rows[::10])
    return rows


def river_scores(rows: np.ndarray, teaches: np.ndarray) -> list[float]:
    """Score first, then learn, one row at a time."""
    river = anomaly.HalfSpaceTrees(n_trees=SHAPE.trees, height=SHAPE.height, window_size=SHAPE.window, seed=SHAPE.seed)
    scores = []
    for row, teach in zip(rows.tolist(), teaches.tolist(), strict=True):
        x = dict(zip(FEATURES, row, strict=True))
        scores.append(river.score_one(x))
        if teach:
            river.learn_one(x)
    return scores


def forest_scores(forest: HalfSpaceForest, rows: np.ndarray, teaches: np.ndarray, batch: int) -> list[float]:
    """The same in batches that end where the forest pivots."""
    scores: list[float] = []
    start = 0
    while start < len(rows):
        end = min(len(rows), start + min(batch, forest.room()))
        scores.extend(forest.score(rows[start:end]).tolist())
        forest.learn(rows[start:end][teaches[start:end]])
        start = end
    return scores


@given(seed=st.integers(0, 1000), batch=st.integers(1, 200), share=st.sampled_from([0.3, 0.9, 1.0]))
@settings(max_examples=20, deadline=None)
def test_every_score_is_rivers(seed: int, batch: int, share: float) -> None:
    rows = rows_of(seed)
    teaches = np.random.default_rng(seed + 1).random(len(rows)) < share
    scores = forest_scores(HalfSpaceForest(FEATURES, SHAPE), rows, teaches, batch)
    assert scores == river_scores(rows, teaches)
    assert len(set(scores)) > 10  # they do say something


@given(seed=st.integers(0, 1000), batch=st.integers(1, 400))
@settings(max_examples=20, deadline=None)
def test_one_walk_for_score_and_learning_says_the_same(seed: int, batch: int) -> None:
    rows = rows_of(seed)
    forest = HalfSpaceForest(FEATURES, SHAPE)
    scores = [score for at in range(0, len(rows), batch) for score in forest.score_then_learn(rows[at : at + batch])]
    assert scores == river_scores(rows, np.ones(len(rows), bool))


def test_a_restored_forest_goes_on_where_it_stopped() -> None:
    rows, teaches = rows_of(3), np.ones(300, bool)
    whole = HalfSpaceForest(FEATURES, SHAPE)
    expected = forest_scores(whole, rows, teaches, 17)
    first = HalfSpaceForest(FEATURES, SHAPE)
    begun = forest_scores(first, rows[:150], teaches[:150], 17)
    second = HalfSpaceForest(FEATURES, SHAPE)
    second.load(first.dump())
    assert begun + forest_scores(second, rows[150:], teaches[150:], 17) == expected
    assert second.dump() == whole.dump()


def test_learning_past_the_window_is_refused() -> None:
    forest = HalfSpaceForest(FEATURES, SHAPE)
    with pytest.raises(ValueError, match="room for 40"):
        forest.learn(rows_of(1, 41))


def test_a_dump_of_another_shape_is_refused() -> None:
    forest = HalfSpaceForest(FEATURES, SHAPE)
    with pytest.raises(ValueError, match="does not fit"):
        forest.load(HalfSpaceForest(FEATURES, Shape(trees=3, height=5)).dump())
