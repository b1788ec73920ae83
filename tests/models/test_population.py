"""The population: fair p-values, strata, one account one row, bounded, and the same after a dump."""

from __future__ import annotations

import numpy as np
import pytest
from stillwatch_models.learners.population import (
    ACTIVITIES,
    KINDS,
    SAMPLE,
    SAMPLE_OF_KIND,
    STRATA,
    STRATUM_EDGES,
    Population,
    kind_of,
    stratum_of,
)

MANY = 50


def population(scores: np.ndarray, events: np.ndarray | int, minimum: int = MANY, kind: int = 0) -> Population:
    out = Population(columns=scores.shape[1], minimum=minimum)
    out.rebuild(scores.astype(np.float32), stratum_of(np.broadcast_to(events, len(scores)).astype(np.int64), kind))
    return out


def test_exchangeable_accounts_get_uniform_p_values() -> None:
    rng = np.random.default_rng(1)
    people = population(rng.normal(size=(1_000, 2)), 10)
    p = people.p_values(rng.normal(size=(4_000, 2)), np.zeros(4_000, np.intp))
    for level in (0.01, 0.05, 0.25, 0.5, 0.9):
        assert (p <= level).mean(axis=0) == pytest.approx([level, level], abs=0.03)
    assert p.min() == pytest.approx(1 / (SAMPLE_OF_KIND + 1))


def test_ties_count_as_at_least_as_extreme() -> None:
    people = population(np.zeros((99, 1)), 10)
    assert people.p_values(np.array([[0.0], [1.0], [-1.0]]), np.zeros(3, np.intp))[:, 0].tolist() == [1.0, 0.01, 1.0]


def test_nothing_is_said_before_there_are_enough_accounts() -> None:
    few = population(np.arange(MANY - 1)[:, None], 10)
    assert not few.ready
    assert few.p_values(np.array([[1e9]]), np.zeros(1, np.intp)).tolist() == [[1.0]]
    assert population(np.arange(MANY)[:, None], 10).ready


def test_strata_begin_at_their_edges() -> None:
    edges = STRATUM_EDGES.tolist()
    assert stratum_of(np.array([0, *(edge - 1 for edge in edges)])).tolist() == [0, 0, 1, 2]
    assert stratum_of(np.array(edges)).tolist() == [1, 2, 3]
    assert len(edges) + 1 == ACTIVITIES
    assert STRATA == KINDS * ACTIVITIES
    assert stratum_of(np.array([0, edges[-1]]), np.array([1, KINDS - 1])).tolist() == [ACTIVITIES, STRATA - 1]


def test_kinds_are_three_questions() -> None:
    """Single requests or conversations, a program's set-up or none, short or long answers."""
    talk = kind_of(*np.array([[0.3, 0.1, 0.1, 6.0]]).T)
    loop = kind_of(*np.array([[0.9, 0.0, 0.9, 9.0]]).T)
    assert (talk.tolist(), loop.tolist()) == ([0], [KINDS - 1])
    every = kind_of(*np.array([[a, s, 0.0, n] for a in (0, 1) for s in (0, 1) for n in (1, 9)]).T)
    assert every.tolist() == list(range(KINDS))


def test_accounts_are_measured_against_their_own_stratum_or_everyone() -> None:
    scores = np.concatenate([np.zeros(MANY), np.full(MANY, 10.0), np.full(3, 20.0)])[:, None]
    people = population(scores, np.repeat([10, 1_000, 100], [MANY, MANY, 3]))
    busy, calm, sparse = people.p_values(np.full((3, 1), 10.0), np.array([3, 0, 1]))[:, 0]
    assert busy == 1.0  # usual among the busy
    assert calm == pytest.approx(1 / (MANY + 1))  # unheard of among the calm
    assert sparse == pytest.approx((1 + MANY + 3) / (1 + 2 * MANY + 3))  # too few of its kind: everyone


def test_an_account_is_one_row_whatever_its_traffic() -> None:
    scores = np.arange(100, dtype=np.float64)[:, None]
    light, heavy = population(scores, 600), population(scores, np.where(scores[:, 0] > 90, 10**9, 600))
    probe, stratum = np.array([[50.0]]), np.array([3])
    assert light.p_values(probe, stratum) == heavy.p_values(probe, stratum)


def test_a_large_population_is_thinned_and_keeps_its_extremes() -> None:
    rng = np.random.default_rng(2)
    scores = rng.exponential(size=(20_000, 1)).astype(np.float32)
    people = population(scores, 10)
    assert people.size == SAMPLE
    assert len(people.reference(0)) == SAMPLE_OF_KIND
    assert (people.reference(0)[0], people.reference(0)[-1]) == (scores.min(), scores.max())
    probe = np.quantile(scores, [0.5, 0.9, 0.99])[:, None]
    assert people.p_values(probe, np.zeros(3, np.intp))[:, 0] == pytest.approx([0.5, 0.1, 0.01], abs=0.004)


def test_a_p_value_does_not_depend_on_the_batch() -> None:
    rng = np.random.default_rng(3)
    people = population(rng.normal(size=(400, 3)), rng.integers(1, 2_000, 400))
    scores, strata = rng.normal(size=(60, 3)), rng.integers(0, STRATA, 60)
    whole = people.p_values(scores, strata)
    single = np.concatenate([people.p_values(scores[i : i + 1], strata[i : i + 1]) for i in range(60)])
    assert (whole == single).all()


def test_a_dump_is_taken_over_byte_for_byte() -> None:
    rng = np.random.default_rng(4)
    people = population(rng.normal(size=(500, 4)), rng.integers(1, 2_000, 500))
    other = Population(columns=4, minimum=MANY)
    other.load(people.dump())
    assert other.dump() == people.dump()
    scores, strata = rng.normal(size=(40, 4)), rng.integers(0, STRATA, 40)
    assert (other.p_values(scores, strata) == people.p_values(scores, strata)).all()


def test_an_empty_population_survives_a_dump() -> None:
    other = Population(columns=2, minimum=MANY)
    other.load(Population(columns=2, minimum=MANY).dump())
    assert other.size == 0
    assert len(other.reference(2)) == 0
