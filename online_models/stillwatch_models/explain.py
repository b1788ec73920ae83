"""Explanations: why an account was reported, strongest first, each with what was seen and what is usual."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.findings import Evidence

from stillwatch_models import evidence, restarts
from stillwatch_models.accounts import Rows
from stillwatch_models.calibration import strata_of
from stillwatch_models.detectors import DETECTORS
from stillwatch_models.evidence import CAP_NATS
from stillwatch_models.scoring import WEIGHTS, Scored, Scorer
from stillwatch_models.switches import HARVEST

HOUR_SECONDS = 3_600.0
DRIFTED = ". Traffic has drifted of late: the population is made of accounts seen since"
SUPPORTING = 2
"""Detectors named beside the harvest test; the others are weaker."""


def reasons(scorer: Scorer, scored: Scored, cell: int, row: Rows, event_ids: tuple[str, ...]) -> list[Evidence]:
    """The harvest test, which decided, and the detectors in which the account stands out most."""
    nats = np.array(WEIGHTS) * np.minimum(-np.log(scored.p_values[cell]), CAP_NATS)
    nats[scorer.muted] = -1.0
    strongest = np.argsort(-nats, kind="stable")[:SUPPORTING].tolist()
    stratum = int(strata_of(row[None])[0])
    sample = scorer.population.reference(stratum)
    supporting = [
        msgspec.structs.replace(told, statement=told.statement + _then(scorer, scored, cell, column, row))
        for column in strongest
        for told in [_detector(scored, cell, column, sample[:, column], event_ids)]
    ]
    return [_harvest(scorer, float(scored.nats[cell]), row, event_ids), *supporting]


def _deciding(scorer: Scorer, rows: Rows) -> tuple[dict[str, int], str]:
    """Counts of the test that says most, of the whole life or of a restart, and since when they count."""
    names = ("harvest", "informal_harvest", "answers", "harvest_blocks")
    epoch = scorer.config.evidence_restart_seconds / HOUR_SECONDS
    best, horizon = {name: rows[name] for name in names}, "account life"
    for counts, hours in zip(restarts.windows(rows), (2 * epoch, epoch), strict=True):
        lasts = scorer.lasts(counts["harvest_blocks"], counts["harvest"])[0]
        if lasts and _nats(scorer, counts) > _nats(scorer, best):
            best, horizon = counts, f"the last {hours:g} h at most"
    return {name: int(best[name][0]) for name in names}, horizon


def _nats(scorer: Scorer, counts: dict[str, NDArray[np.int64]]) -> float:
    """Evidence of these counts."""
    harvest, informal, answers = counts["harvest"], counts["informal_harvest"], counts["answers"]
    return float(evidence.harvest_nats(harvest, informal, answers, scorer.rates)[0])


def _harvest(scorer: Scorer, nats: float, row: Rows, event_ids: tuple[str, ...]) -> Evidence:
    counts, horizon = _deciding(scorer, scorer.feedback.since(row[None]))
    found, answers, blocks = counts["harvest"], counts["answers"], counts["harvest_blocks"]
    usual = scorer.rates.strict
    block = scorer.config.evidence_block_seconds
    span = f"{block / HOUR_SECONDS:g} h" if block >= HOUR_SECONDS else f"{block:g} s"
    return Evidence(
        signal=HARVEST,
        statement=(
            f"{found} of {answers} answered requests stand alone, are new, follow no template and are worded as tasks; "
            f"innocent accounts stay below {100 * usual:.0f} %. It went on in {blocks} different blocks of {span}"
        ),
        observed=found / max(answers, 1),
        baseline=usual,
        percentile=100.0 * (1.0 - math.exp(-max(nats, 0.0))),
        unit="share of requests",
        horizon=horizon,
        p_value=math.exp(-max(nats, 0.0)),
        weight=nats,
        event_ids=event_ids,
    )


def _then(scorer: Scorer, scored: Scored, cell: int, column: int, row: Rows) -> str:
    """What is to be said of the population: that it was made anew, and how it has come away from the first week's."""
    calibration, stratum = scorer.calibration, strata_of(row[None])
    anew = DRIFTED if calibration.is_new(int(row["pane"])) else ""
    reference = calibration.reference
    if not reference.has_moved(column):
        return anew
    p_value = reference.population.p_values(scored.scores[cell : cell + 1], stratum)[0, column]
    return anew + (
        f". The population has moved in this signal since its frozen reference (distance "
        f"{reference.distance[column]:.2f} of 1), in which it would have been percentile {100.0 * (1.0 - p_value):.1f}"
    )


def _detector(scored: Scored, cell: int, column: int, sample: np.ndarray, event_ids: tuple[str, ...]) -> Evidence:
    detector = DETECTORS[column]
    p_value = float(scored.p_values[cell, column])
    return Evidence(
        signal=detector.name,
        statement=detector.statement(scored.values.row(cell)),
        observed=float(scored.scores[cell, column]),
        baseline=float(sample[len(sample) // 2]) if len(sample) else 0.0,
        percentile=100.0 * (1.0 - p_value),
        unit=detector.unit,
        horizon=detector.horizon,
        p_value=p_value,
        weight=WEIGHTS[column] * min(-math.log(p_value), CAP_NATS),
        event_ids=event_ids,
    )
