"""Content breadth: prompts distributed like everybody's, where a person or a program has subjects of its own.

Hypothesis: a student shall learn everything, so the harvester's prompts are spread like the whole population's. Those
    of a single customer as busy are not: they keep to a few subjects.
Formula: less the squared maximum mean discrepancy (Gretton et al. 2012) between the account's prompts and the
    population's, by 8 random Fourier features (Rahimi and Recht 2007) of the sketch's embedding, unbiased, drawn
    towards 0.3 as by 16 texts; see `content`. Ranked among accounts with as many events.
Horizon: account life, the latest 256 texts weigh most. Direction: nearer is more suspicious.
Evades: a narrow-skill campaign (see capability focus); splitting by subject over accounts.
Benign look-alikes: relay bots that forward many people's questions, broad benchmarks.
"""

from __future__ import annotations

from stillwatch_models.detectors.base import Detector, Floats, Values


def _score(values: Values) -> Floats:
    return -values.content


def _statement(values: Values) -> str:
    return (
        f"the subjects of its prompts are spread like everybody's together: discrepancy {values.content[0]:.3f} "
        "(0 the same, 1 nothing in common)"
    )


DETECTOR = Detector("content_breadth", "less discrepancy", "account life", 1.0, _score, _statement)
