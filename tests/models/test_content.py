"""Content means: exact whatever the batch, unbiased, near where subjects are alike; they follow an account's change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stillwatch_models import content
from stillwatch_models.columns import EMBEDDING
from stillwatch_models.content import FEATURES, MOST_TEXTS

SUBJECTS = np.random.default_rng(0).normal(size=(400, EMBEDDING))


def prompts(rng: np.random.Generator, texts: int, subjects: range) -> np.ndarray:
    """Embeddings of length one: each mostly one of the subjects."""
    chosen = SUBJECTS[rng.choice(list(subjects), texts)] + 0.5 * rng.normal(size=(texts, EMBEDDING))
    return np.round(127 * chosen / np.linalg.norm(chosen, axis=1, keepdims=True)).astype(np.int8)


def mean_of(embeddings: np.ndarray, step: int = 10**6) -> np.ndarray:
    """The stored mean after these texts, a pane of `step` texts at a time."""
    mean = np.zeros((1, FEATURES), np.int16)
    for start in range(0, len(embeddings), step):
        part = features_of(embeddings[start : start + step])
        content.update(mean[0], part.sum(axis=0), len(part), float(start))
    return mean


def features_of(embeddings: np.ndarray) -> np.ndarray:
    """Features of each prompt."""
    out = np.full((len(embeddings), FEATURES), 99, np.int64)
    for embedding, row in zip(embeddings, out, strict=True):
        content.transform(embedding, row)
    return out


def apart(rng: np.random.Generator, texts: int, subjects: range, middle: np.ndarray) -> float:
    """Discrepancy of an account with so many texts about these subjects."""
    mean = mean_of(prompts(rng, texts, subjects))
    return float(content.distances(mean, np.array([float(texts)]), middle)[0])


@pytest.fixture(scope="module")
def middle() -> np.ndarray:
    """The centre of accounts about all subjects."""
    rng = np.random.default_rng(1)
    return content.centre(np.concatenate([mean_of(prompts(rng, 200, range(400))) for _ in range(200)]))


def test_broad_accounts_are_nearer_than_narrow_ones(middle: np.ndarray) -> None:
    rng = np.random.default_rng(2)
    broad = [apart(rng, 200, range(400), middle) for _ in range(50)]
    narrow = [apart(rng, 200, range(i, i + 3), middle) for i in range(50)]
    assert np.quantile(broad, 0.9) < np.quantile(narrow, 0.1)


def test_few_texts_neither_put_an_account_far_away_nor_near(middle: np.ndarray) -> None:
    """Unbiased: on average a broad account of 40 texts stands where one of 400 does, but for the prior."""
    rng = np.random.default_rng(3)
    far = {n: np.mean([apart(rng, n, range(400), middle) for _ in range(200)]) for n in (40, 250)}
    without_prior = {n: (mean * (n + 16) - 16 * 0.3) / n for n, mean in far.items()}
    assert without_prior[40] == pytest.approx(without_prior[250], abs=0.02)
    assert content.distances(np.zeros((1, FEATURES), np.int16), np.zeros(1), middle)[0] == pytest.approx(0.3)


@given(seed=st.integers(0, 1_000))
@settings(max_examples=30, deadline=None)
def test_features_are_waves_of_projections(seed: int) -> None:
    """In whole numbers, as NumPy has them."""
    embeddings = np.random.default_rng(seed).integers(-128, 128, (20, EMBEDDING)).astype(np.int8)
    turns = embeddings.astype(np.int64) @ content._FREQUENCY.T.astype(np.int64)
    expected = content._WAVE[((turns >> content.WIDTH_SHIFT) + content._PHASE) % content.CIRCLE]
    assert features_of(embeddings).tolist() == expected.tolist()
    assert np.abs(expected).max() <= 127


def test_panes_add_up_to_the_mean() -> None:
    embeddings = prompts(np.random.default_rng(4), 200, range(400))
    assert mean_of(embeddings, step=7)[0] == pytest.approx(mean_of(embeddings)[0], abs=40)  # of 32,512


def test_the_mean_follows_an_account_that_changes(middle: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    narrow, broad = prompts(rng, 2_000, range(3)), prompts(rng, 1_000, range(400))
    texts = np.array([MOST_TEXTS])
    before = content.distances(mean_of(narrow, 5), texts, middle)[0]
    after = content.distances(mean_of(np.concatenate([narrow, broad]), 5), texts, middle)[0]
    assert after < before / 2


def test_nobody_has_a_centre_at_zero() -> None:
    assert content.centre(np.zeros((0, FEATURES), np.int16)).tolist() == [0.0] * FEATURES
