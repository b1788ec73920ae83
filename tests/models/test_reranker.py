"""The re-ranker: silent until it knows both kinds, bounded, the same bytes for the same verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from stillwatch_models.learners.reranker import KEPT, LEAST_VERDICTS, MOST_NATS, Reranker

COLUMNS = 6


def accounts(seed: int, n: int = 40) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Features in [0, 1] of which the first tells who distils, and the truth."""
    rng = np.random.default_rng(seed)
    features = rng.random((n, COLUMNS))
    return features, features[:, 0] > 0.5


def taught(seed: int = 1, verdicts: int = 20) -> Reranker:
    reranker = Reranker(COLUMNS)
    features, distils = accounts(seed, verdicts)
    for row, label in zip(features, distils.tolist(), strict=True):
        reranker.learn(row, distils=label)
    return reranker


def test_twenty_verdicts_put_unseen_accounts_in_order() -> None:
    features, distils = accounts(2, 400)
    terms = taught().terms(features)
    ahead = (terms[distils][:, None] > terms[~distils][None]).mean()
    assert ahead > 0.9


def test_it_is_silent_before_it_has_heard_enough() -> None:
    features, _ = accounts(2)
    reranker = Reranker(COLUMNS)
    for number in range(LEAST_VERDICTS - 1):
        reranker.learn(features[number], distils=number % 2 == 0)
        assert not reranker.terms(features).any()
    reranker.learn(features[-1], distils=True)
    assert reranker.terms(features).all()


@pytest.mark.parametrize("distils", [True, False])
def test_it_is_silent_while_it_knows_one_kind_only(*, distils: bool) -> None:
    features, _ = accounts(2)
    reranker = Reranker(COLUMNS)
    for row in features:
        reranker.learn(row, distils=distils)
    assert not reranker.ready
    assert not reranker.terms(features).any()


def test_no_term_is_greater_than_the_bound_however_one_sided_the_verdicts() -> None:
    reranker = Reranker(COLUMNS)
    reranker.learn(np.zeros(COLUMNS), distils=False)
    for _ in range(500):
        reranker.learn(np.ones(COLUMNS), distils=True)
    terms = reranker.terms(np.array([[1.0] * COLUMNS, [0.0] * COLUMNS]))
    assert np.all(np.abs(terms) < MOST_NATS)
    assert len(reranker.state.examples) == KEPT


def test_a_restored_reranker_learns_on_as_if_nothing_had_happened() -> None:
    features, distils = accounts(3, 60)
    one, other = taught(), Reranker(COLUMNS)
    other.load(one.dump())
    for row, label in zip(features, distils.tolist(), strict=True):
        one.learn(row, distils=label)
        other.learn(row, distils=label)
    assert one.dump() == other.dump()


def test_a_term_does_not_depend_on_who_else_is_asked_about() -> None:
    reranker = taught()
    features, _ = accounts(4, 100)
    alone = [float(reranker.terms(features[i : i + 1])[0]) for i in range(100)]
    assert reranker.terms(features).tolist() == alone


def test_a_dump_of_other_features_is_forgotten() -> None:
    other = Reranker(COLUMNS + 1)
    other.load(taught().dump())
    assert not other.ready
