"""p-values of accounts that the population has not seen are fair, in every stratum, on simulated traffic."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from stillwatch_models.accounts import Rows
from stillwatch_models.calibration import strata_of
from stillwatch_models.config import EngineConfig
from stillwatch_models.detectors import DETECTORS
from stillwatch_models.engine import AccountEngine
from stillwatch_models.learners.population import ACTIVITIES, Population
from stillwatch_models.shard import Batch
from stillwatch_schemas.sketch import Sketcher
from stillwatch_streams.simulator.generate import generate
from stillwatch_streams.simulator.scenario import load_scenario
from support.benign_soak import KEY, START_MS, sketched

TIMES = 5
"""Of the accounts of `quiet-week`: strata need enough of them."""
LEAST = 50
"""Accounts of a stratum, known and fresh ones, that are worth a test."""
CRITICAL = 1.63
"""Kolmogorov and Smirnov at 1 %, two samples, in units of the root of 1/n + 1/m."""


@pytest.fixture(scope="module")
def rows() -> Rows:
    """Rows of many benign accounts of the simulator after a day, scored on the way."""
    engine, sketcher = AccountEngine(EngineConfig(), 0), Sketcher(KEY)
    quiet = load_scenario("quiet-week")
    crowd = tuple(msgspec.structs.replace(group, accounts=TIMES * group.accounts) for group in quiet.benign)
    scenario = msgspec.structs.replace(quiet, days=1.0, benign=crowd)
    events = [labelled.event for labelled in generate(scenario, 2, START_MS)]
    for start in range(0, len(events), 4_000):
        batch = sketched(events[start : start + 4_000], sketcher)
        offsets = list(range(start, start + len(batch)))
        engine.process(Batch(items=list(batch), offsets=offsets, next_offset=offsets[-1] + 1))
    engine.finish()
    known = engine.table.gather(engine.table.used())
    return known[known["events"] >= engine.config.min_events]


def halves(rows: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Accounts that make the population, and fresh ones, parted by chance a few times."""
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(rows))
        yield rows[order[: len(rows) // 2]], rows[order[len(rows) // 2 :]]


def unfair_share(rows: Rows, *, by_kind: bool) -> float:
    """Share of (stratum, detector) pairs whose p-values are further from uniform than chance allows at 1 %."""
    unfair = []
    for known, fresh in halves(rows):
        people = Population(len(DETECTORS), 50)
        people.rebuild(scores(known).astype(np.float32), strata_of(known) if by_kind else strata_of(known) % ACTIVITIES)
        strata = strata_of(fresh)
        p = untied(people, scores(fresh), strata if by_kind else strata % ACTIVITIES)
        for stratum in np.unique(strata).tolist():
            mine, theirs = strata == stratum, int((strata_of(known) == stratum).sum())
            if min(int(mine.sum()), theirs) < LEAST:
                continue
            chance = CRITICAL * math.sqrt(1 / int(mine.sum()) + 1 / theirs)
            unfair += [distance(p[mine, column]) > chance for column in range(len(DETECTORS))]
    assert len(unfair) >= 20 * len(DETECTORS)
    return float(np.mean(unfair))


def untied(people: Population, values: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """p-values in which equal scores share theirs out by chance, as a continuous score would."""
    at_least = people.p_values(values, strata)
    above = people.p_values(np.nextafter(values.astype(np.float32), np.float32(np.inf)).astype(np.float64), strata)
    step = above.min(axis=0)  # one account more or less
    return at_least - np.random.default_rng(9).random(at_least.shape) * (at_least - above + step)


def distance(p: np.ndarray) -> float:
    """Kolmogorov and Smirnov's distance from the uniform distribution."""
    ordered = np.sort(p)
    ranks = np.arange(1, len(p) + 1) / len(p)
    return float(max(np.abs(ranks - ordered).max(), np.abs(ranks - 1 / len(p) - ordered).max()))


def test_fresh_accounts_have_uniform_p_values_in_every_stratum(rows: Rows) -> None:
    assert unfair_share(rows, by_kind=True) <= 0.05


def test_without_kinds_of_traffic_they_have_not(rows: Rows) -> None:
    """Otherwise the strata would be for nothing."""
    assert unfair_share(rows, by_kind=False) > 0.3


def scores(rows: Rows) -> np.ndarray:
    """Latest scores of accounts, a column a detector."""
    return rows["scores"][:, : len(DETECTORS)].astype(np.float64)
