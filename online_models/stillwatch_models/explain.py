"""Explanations: the strongest reasons of an account's finding, each with what was seen and what is usual."""

from __future__ import annotations

import math

import numpy as np
from stillwatch_schemas.findings import Evidence

from stillwatch_models.detectors import DETECTORS
from stillwatch_models.evidence import CAP_NATS
from stillwatch_models.learners.population import Population
from stillwatch_models.scoring import WEIGHTS, Scored

REASONS = 3
"""Reasons given in a finding; the others are weaker."""


def reasons(
    scored: Scored, cell: int, population: Population, stratum: int, event_ids: tuple[str, ...]
) -> list[Evidence]:
    """The strongest signals of one cell, strongest first."""
    nats = WEIGHTS * np.minimum(-np.log(scored.p_values[cell]), CAP_NATS)
    strongest = np.argsort(-nats, kind="stable")[:REASONS].tolist()
    return [
        _evidence(scored, cell, column, population=population, stratum=stratum, event_ids=event_ids)
        for column in strongest
    ]


def _evidence(
    scored: Scored, cell: int, column: int, *, population: Population, stratum: int, event_ids: tuple[str, ...]
) -> Evidence:
    detector = DETECTORS[column]
    sample = population.reference(stratum)[:, column]
    observed, p_value = float(scored.scores[cell, column]), float(scored.p_values[cell, column])
    baseline = float(sample[len(sample) // 2]) if len(sample) else math.nan
    return Evidence(
        signal=detector.name,
        statement=detector.statement(scored.values.row(cell)),
        observed=observed,
        baseline=baseline,
        percentile=100.0 * (1.0 - p_value),
        unit=detector.unit,
        horizon=detector.horizon,
        p_value=p_value,
        weight=float(WEIGHTS[column] * min(-math.log(p_value), CAP_NATS)),
        event_ids=event_ids,
    )
