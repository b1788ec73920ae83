"""Pooled evidence: a clump that chance makes is worth nothing, one that is meant grows with every member."""

from __future__ import annotations

import numpy as np
import pytest
from stillwatch_models import evidence
from stillwatch_models.campaigns.clumps import Clump, clumps
from stillwatch_models.campaigns.content_tests import TESTS
from stillwatch_models.campaigns.evidence import MOST_OWN, pooled
from support.profiling import direction, known, make_profile


def clump_of(directions: np.ndarray, candidates: int = 200) -> Clump:
    count = len(directions)
    return Clump(
        test=TESTS[0],
        members=tuple(f"a{n}" for n in range(count)),
        neighbours=(count - 1,) * count,
        directions=directions,
        cosine=0.8,
        passages=0.0,
        usual_cosine=0.0,
        candidates=candidates,
    )


def test_content_evidence_is_calibrated_on_random_directions() -> None:
    """Rayleigh's statistic: its p-value is uniform when directions are, so -ln p has mean 1."""
    rng = np.random.default_rng(7)
    draws = rng.standard_normal((2_000, 12, 32))
    draws /= np.linalg.norm(draws, axis=2)[:, :, None]
    nats = np.array([pooled(clump_of(one), [0.0] * 12).content for one in draws])
    assert nats.mean() == pytest.approx(1.0, abs=0.1)
    assert (nats >= 3.0).mean() == pytest.approx(np.exp(-3.0), abs=0.02)


def test_evidence_grows_with_members_and_shrinks_with_the_choice() -> None:
    few, many = (np.array([direction(n, near=1) for n in range(count)]) for count in (4, 12))
    zero = [0.0] * 12
    assert pooled(clump_of(many), zero).total > pooled(clump_of(few), zero[:4]).total
    assert pooled(clump_of(many, candidates=5_000), zero).total < pooled(clump_of(many), zero).total


def test_nobody_pulls_a_clump_over_the_threshold_alone() -> None:
    three = np.array([direction(n, near=1) for n in range(3)])
    assert pooled(clump_of(three), [1_000.0, -50.0, 0.0]).own == MOST_OWN


def test_clumps_that_chance_makes_found_no_campaign() -> None:
    """The nearest accounts of a random crowd, taken for a clump after the fact: the choice eats their evidence."""
    threshold = evidence.threshold(5.0)
    for seed in range(20):
        profiles = [make_profile(1_000 * seed + n) for n in range(150)]
        accounts = [known(profile) for profile in profiles]
        for clump in clumps(accounts, np.zeros(32)):
            assert pooled(clump, [0.0] * len(clump.members)).total < threshold
        directions = np.array([direction(1_000 * seed + n) for n in range(150)])
        nearest = np.argsort(-(directions @ directions[0]))[:5]
        assert pooled(clump_of(directions[nearest], candidates=150), [0.0] * 5).total < threshold
