"""The baseline can't be led: quarantine, one vote an account, a frozen reference, and drift that is told."""

from __future__ import annotations

import numpy as np
import pytest
from stillwatch_models.accounts import ROW, Rows
from stillwatch_models.calibration import REFERENCE_ROW, Calibration
from stillwatch_models.config import EngineConfig
from stillwatch_models.detectors import DETECTORS

CONFIG = EngineConfig(reference_seconds=3_600.0, frozen_reference_seconds=48 * 3_600.0)
EPOCH_PANES = 360
CALM = 4.0
FIRST = 500
"""Number of the first epoch."""


def accounts(scores: np.ndarray, epoch: int, events: int = 64, **fields: float) -> Rows:
    """Rows of accounts that were last seen just before an epoch."""
    rows = np.zeros(len(scores), ROW)
    rows["events"], rows["answers"], rows["pane"] = events, events, epoch * EPOCH_PANES - 1
    rows["scores"][:, : len(DETECTORS)] = scores[:, None]
    for name, value in fields.items():
        rows[name] = value
    return rows


def calibrated(level: float, epochs: range, *, drift_per_epoch: float = 0.0, seed: int = 1) -> Calibration:
    """A calibration that has lived through epochs in which everyone's scores drift."""
    rng, calibration = np.random.default_rng(seed), Calibration(CONFIG, CALM)
    for number, epoch in enumerate(epochs):
        calibration.renew(accounts(rng.normal(level + drift_per_epoch * number, 1.0, 400), epoch), epoch)
    return calibration


def top_share(calibration: Calibration, score: float) -> float:
    """p-value of an account with 64 events and this score in every detector."""
    return float(calibration.population.p_values(np.full((1, len(DETECTORS)), score), np.array([1]))[0, 0])


@pytest.mark.parametrize("suspect", [{"incident_pane": 7}, {"evidence": CALM}], ids=str)
def test_suspected_accounts_are_in_quarantine(suspect: dict[str, float]) -> None:
    rng = np.random.default_rng(2)
    benign = accounts(rng.normal(0, 1, 300), FIRST)
    attackers = accounts(np.full(300, 50.0), FIRST, **suspect)
    calibration, alone = Calibration(CONFIG, CALM), Calibration(CONFIG, CALM)
    calibration.renew(np.concatenate([benign, attackers]), FIRST)
    alone.renew(benign, FIRST)
    assert calibration.population.dump() == alone.population.dump()


def test_an_account_is_one_vote_whatever_its_traffic() -> None:
    scores = np.random.default_rng(3).normal(0, 1, 300)
    quiet, loud = accounts(scores, FIRST, events=600), accounts(scores, FIRST, events=600)
    loud["events"][np.argsort(scores)[-20:]] = 10**9
    one, other = Calibration(CONFIG, CALM), Calibration(CONFIG, CALM)
    one.renew(quiet, FIRST)
    other.renew(loud, FIRST)
    assert top_share(one, 1.5) == top_share(other, 1.5)


def test_the_reference_is_frozen_once_and_exposes_a_slow_drift() -> None:
    """Half a standard deviation a day: no day differs much from the one before, and in ten days nothing is alike."""
    calibration = calibrated(0.0, range(FIRST, FIRST + 10 * 24), drift_per_epoch=0.5 / 24)
    assert top_share(calibration, 5.0) > 0.3  # the population of the hour was taught ...
    reference = calibration.reference
    then = reference.population.p_values(np.full((1, len(DETECTORS)), 5.0), np.array([1]))[0, 0]
    assert then < 0.01  # ... and the reference was not
    assert reference.has_moved(0)
    assert calibration.counters()["reference_distance_permille"] > 800


def test_a_steady_population_has_not_moved() -> None:
    calibration = calibrated(0.0, range(FIRST, FIRST + 5 * 24))
    assert calibration.reference.frozen
    assert not calibration.is_new((FIRST + 5 * 24) * EPOCH_PANES)
    assert not any(calibration.reference.has_moved(column) for column in range(len(DETECTORS)))


def test_there_is_no_reference_before_its_time() -> None:
    calibration = calibrated(0.0, range(FIRST, FIRST + 47))
    assert not calibration.reference.frozen
    assert calibration.counters() == {"drifts": 0, "reference_distance_permille": 0}


def test_after_a_drift_the_baseline_is_made_of_accounts_seen_since() -> None:
    """Old accounts describe a world that is gone; the frozen reference and the quarantine stay."""
    rng, calibration = np.random.default_rng(5), Calibration(CONFIG, CALM)
    gone = accounts(rng.normal(0, 1, 400), FIRST)
    changed = FIRST + 10 * 24
    for epoch in range(FIRST + 1, FIRST + 14 * 24):
        level = 8.0 if epoch >= changed else 0.0
        here = accounts(rng.normal(level, 1, 400), epoch, joint=20.0 if level else 3.0)
        calibration.renew(np.concatenate([gone, here]), epoch)
    assert calibration.drift.found >= 1
    assert calibration.is_new((FIRST + 14 * 24) * EPOCH_PANES)
    assert not calibration.is_new((FIRST + 40 * 24) * EPOCH_PANES)
    assert top_share(calibration, 6.0) > 0.95  # of the present; with the 400 that are gone it were below a half
    assert calibration.reference.population.p_values(np.full((1, len(DETECTORS)), 6.0), np.array([1]))[0, 0] < 0.01


def test_a_dump_is_taken_over_byte_for_byte() -> None:
    calibration = calibrated(0.0, range(FIRST, FIRST + 60), drift_per_epoch=0.05)
    other = Calibration(CONFIG, CALM)
    other.load(calibration.dump())
    assert other.dump() == calibration.dump()
    assert other.counters() == calibration.counters()
    assert len(other.dump()[REFERENCE_ROW]) > 1_000
