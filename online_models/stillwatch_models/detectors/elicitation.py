"""Elicitation: asking for the reasoning, or for grades, as training material.

Hypothesis: a student is trained on traces (written-out reasoning) or on preferences (grades, rankings), so the
    harvester asks for them again and again.
Formula: mean elicitation score + mean grading score + a third of the mean probing score of the prompts, each 0 to 1
    from the sketch's phrase lists, drawn towards 0 while texts are few; + 0.2 * share of requests for log
    probabilities.
Evades: reasoning models that think unasked; wording outside the lists. Chain-of-thought phrases alone point nowhere.
Benign look-alikes: LLM judges, maths tutoring, prompt engineers.
"""

from __future__ import annotations

import numpy as np

from stillwatch_models.detectors.base import Detector, Floats, Values


def _score(values: Values) -> Floats:
    return np.asarray(values.elicitation + values.grading + values.probing / 3.0 + 0.2 * values.logprobs)


def _statement(values: Values) -> str:
    return (
        f"prompts ask for written-out reasoning ({values.elicitation[0]:.2f} of 1) or for grades "
        f"({values.grading[0]:.2f} of 1)"
    )


DETECTOR = Detector("elicitation", "0 to 3", "account life, half-life 7 d", 0.5, _score, _statement)
