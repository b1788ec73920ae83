"""Coverage growth: topics keep opening where a person's would return.

Hypothesis: a student needs breadth. The cells of a hashed topic map that an account hits keep growing with its requests
    (Heaps' exponent near 1), while people and products come back to their own few topics.
Formula: log2(1 + distinct topic cells) * Heaps' exponent, times the freshness of the texts (repeats exonerate).
    Distinct counts by HyperLogLog. Ranked within the stratum of accounts with as many events.
Evades: a narrow-skill campaign (one exam, one language pair); splitting by topic over accounts.
Benign look-alikes: evaluation of broad benchmarks, relay bots, content agencies.
"""

from __future__ import annotations

import numpy as np

from stillwatch_models.detectors.base import Detector, Floats, Values


def _score(values: Values) -> Floats:
    return np.asarray(values.coverage * values.coverage_exponent * values.freshness)


def _statement(values: Values) -> str:
    return (
        f"prompts reach {2.0 ** values.coverage[0]:.0f} different topic cells and still open new ones (Heaps exponent "
        f"{values.coverage_exponent[0]:.2f}); {100 * values.freshness[0]:.0f} % were never sent before"
    )


DETECTOR = Detector("coverage_growth", "log2 cells", "account life", 1.5, _score, _statement)
