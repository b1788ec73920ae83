"""The baseline of a shard: who is in it, when it is renewed, how it drifts, and what it was at first.

Once an epoch the population is frozen anew from the latest scores of accounts that are known well enough and calm. Four
things keep it from being led: accounts under suspicion are in quarantine, an account is one row whatever it sends, a
reference of the first week learns nothing more, and a drift is told instead of being learned in silence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stillwatch_models import content, features
from stillwatch_models.accounts import CONTENT_FEATURES, Rows
from stillwatch_models.config import EngineConfig
from stillwatch_models.detectors import DETECTORS
from stillwatch_models.learners.drift import DriftWatch
from stillwatch_models.learners.population import Population, stratum_of
from stillwatch_models.learners.reference import FrozenReference

CONTENT_ROW, DRIFT_ROW = b"m:content", b"m:drift"
POPULATION_ROW, REFERENCE_ROW = b"m:population", b"m:reference"
WEEK_SECONDS = 7 * 86_400.0
MOST_OUTPUT, MOST_JOINT = 13.0, 30.0
"""Doublings of an answer's tokens, and nats of the joint score, that fill the range of a watched series."""


class Calibration:
    """What turns scores into p-values, and what watches over it."""

    def __init__(self, config: EngineConfig, calm_nats: float) -> None:
        self._config = config
        self._calm_nats = calm_nats
        self._epoch_panes = max(1, round(config.reference_seconds / config.pane_seconds))
        self._freeze_epochs = max(1, round(config.frozen_reference_seconds / config.reference_seconds))
        self.population = Population(columns=len(DETECTORS), minimum=config.min_reference_accounts)
        """What accounts score, by detector."""
        self.reference = FrozenReference(columns=len(DETECTORS), minimum=config.min_reference_accounts)
        self._content_centre = content.centre(np.zeros((0, CONTENT_FEATURES), np.int16))
        self.drift = DriftWatch(config.reference_seconds)

    def renew(self, rows: Rows, epoch: int) -> None:
        """Begin an epoch: watch for drift, freeze the population anew, measure it against the reference."""
        known = rows[rows["events"] >= self._config.min_events]
        active = known[known["pane"] // self._epoch_panes == epoch - 1]
        if len(active) >= self._config.min_reference_accounts:
            self.drift.update(epoch, watched(active))
        good = self._of_the_present(known[self._calm(known)])
        self._content_centre = content.centre(good["content_mean"])
        scores = np.ascontiguousarray(good["scores"][:, : len(DETECTORS)])
        self.population.rebuild(scores, strata_of(good))
        old_enough = self.drift.epochs_until(epoch) >= self._freeze_epochs
        self.reference.follow(self.population, may_freeze=old_enough)

    def _calm(self, rows: Rows) -> NDArray[np.bool_]:
        """Not in quarantine: neither reported nor half way there."""
        return np.asarray((rows["incident_pane"] == 0) & (rows["evidence"] < self._calm_nats))

    def _of_the_present(self, rows: Rows) -> Rows:
        """After a drift, accounts that were seen since; everyone, while those are too few."""
        since = self.drift.since * self._epoch_panes
        recent = rows[rows["pane"] >= since]
        return recent if len(recent) >= 2 * self._config.min_reference_accounts else rows

    def content_of(self, rows: Rows) -> NDArray[np.float64]:
        """Discrepancy of each account's prompts from the population's."""
        return content.distances(rows["content_mean"], features.total(rows, "texts"), self._content_centre)

    def is_new(self, pane: int) -> bool:
        """Whether the population was made anew because of a drift in the week before a pane."""
        week = max(1, round(WEEK_SECONDS / self._config.reference_seconds))
        since = self.drift.since
        return since > 0 and pane // self._epoch_panes - since <= week

    def counters(self) -> dict[str, int]:
        """For metrics: drifts found, and the distance from the reference in thousandths."""
        return {"drifts": self.drift.found, "reference_distance_permille": self.reference.distance_permille}

    def dump(self) -> dict[bytes, bytes]:
        """Rows of the checkpoint."""
        return {
            POPULATION_ROW: self.population.dump(),
            REFERENCE_ROW: self.reference.dump(),
            DRIFT_ROW: self.drift.dump(),
            CONTENT_ROW: self._content_centre.astype("<f8").tobytes(),
        }

    def load(self, rows: Mapping[bytes, bytes]) -> None:
        """Take over a dump."""
        self.population.load(rows[POPULATION_ROW])
        self.reference.load(rows[REFERENCE_ROW], self.population)
        self.drift.load(rows[DRIFT_ROW])
        self._content_centre = np.frombuffer(rows[CONTENT_ROW], "<f8").astype(np.float64)


def strata_of(rows: Rows) -> NDArray[np.intp]:
    """Stratum in which each account is measured."""
    return stratum_of(rows["events"], features.kind(rows))


def watched(rows: Rows) -> dict[str, float]:
    """The watched inputs and scores of an epoch, each a mean over accounts, 0 to 1; exact, whatever their order."""
    answers = np.maximum(rows["answers"], 1)
    series = {
        "output_length": features.mean_log_output(rows) / MOST_OUTPUT,
        "one_shot": features.share(rows, "one_shot", 0.6),
        "harvest": np.clip(rows["harvest"] / answers, 0.0, 1.0),
        "joint": np.clip(rows["joint"] / MOST_JOINT, 0.0, 1.0),
    }
    return {name: math.fsum(values.tolist()) / len(rows) for name, values in series.items()}
