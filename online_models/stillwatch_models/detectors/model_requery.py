"""Multi-model re-query: the same prompt sent to several models.

Hypothesis: several teachers are better than one: their answers are compared, ranked or voted on for the student.
Formula: share of requests whose text the account has sent before to another model, drawn towards 0 while events are
    few. It was the first of the partition to send it, so public lists do not count.
Horizon: half-life 7 days, texts within the partition's text memory. Direction: higher is more suspicious.
Evades: one account a model; changing a word; more texts in between than the memory holds.
Benign look-alikes: evaluation of models against each other, routers with a fallback, A/B tests.
"""

from __future__ import annotations

from stillwatch_models.detectors.base import Detector, Floats, Values


def _score(values: Values) -> Floats:
    return values.requeried


def _statement(values: Values) -> str:
    return f"{100 * values.requeried[0]:.0f} % of requests repeat a prompt of its own to another model"


DETECTOR = Detector("model_requery", "share", "account life, half-life 7 d", 0.25, _score, _statement)
