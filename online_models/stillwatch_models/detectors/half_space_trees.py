"""Half-Space Trees over the whole feature vector: strange in combination.

Hypothesis: what no single feature shows, their combination may; few accounts share a harvester's corner of the space.
Formula: Tan, Ting and Liu (2011), River's estimator; learned at pane close from accounts that are not under suspicion.
Evades: staying near the population mean, as real harvesters do: measured alone it finds nothing.
Benign look-alikes: every rare kind of customer.
"""

from __future__ import annotations

from stillwatch_models.detectors.base import Detector, Floats, Values


def _score(values: Values) -> Floats:
    return values.forest


def _statement(values: Values) -> str:
    return f"the combination of all features is rare: anomaly score {values.forest[0]:.3f} of 1"


DETECTOR = Detector("half_space_trees", "anomaly score", "account life", 0.5, _score, _statement)
