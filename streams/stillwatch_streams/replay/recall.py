"""Recall at a false-positive rate: how many distilling accounts rank above nearly every benign one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

import msgspec
from stillwatch_models.accounts import AccountRow

from stillwatch_streams.replay.among import among, among_by
from stillwatch_streams.replay.labels import Label
from stillwatch_streams.replay.statistics import Mean, Share, mean_of, threshold_for

FALSE_POSITIVE_RATES = (0.01, 0.001)


class RecallAt(msgspec.Struct, frozen=True):
    """Recall when accounts are ranked by `score` and the threshold allows this rate of benign accounts."""

    false_positive_rate: float
    threshold: float | None
    """A score must exceed it; None where every score would do."""
    pooled: Share
    macro: float
    """Mean over campaigns of each campaign's recall: a large campaign counts no more than a small one."""
    macro_interval: Mean
    by_campaign: dict[str, Share]
    by_family: dict[str, Share]
    by_archetype: dict[str, Share]
    """Benign accounts above the threshold, by archetype."""


def recall_at(
    rate: float, results: Mapping[str, AccountRow], benign: Sequence[Label], distill: Sequence[Label]
) -> RecallAt:
    """Recall at one false-positive rate."""
    threshold = threshold_for([score_of(results, label.account_id) for label in benign], rate)
    above = accounts_above(threshold, results, (*benign, *distill))
    by_campaign = among_by(distill, "campaign_id", above)
    macro = mean_of(tuple(by_campaign.values()))
    return RecallAt(
        false_positive_rate=rate,
        threshold=threshold if math.isfinite(threshold) else None,
        pooled=among(distill, above),
        macro=macro.rate,
        macro_interval=macro,
        by_campaign=by_campaign,
        by_family=among_by(distill, "family", above),
        by_archetype=among_by(benign, "archetype", above),
    )


def accounts_above(threshold: float, results: Mapping[str, AccountRow], labels: Sequence[Label]) -> frozenset[str]:
    """The labelled accounts whose score exceeds the threshold."""
    return frozenset(label.account_id for label in labels if score_of(results, label.account_id) > threshold)


def score_of(results: Mapping[str, AccountRow], account: str) -> float:
    """An account's ranking score; not a number, or no result at all, ranks last."""
    result = results.get(account)
    return -math.inf if result is None or math.isnan(result.score) else result.score


class CurvePoint(TypedDict):
    """One point of the curve."""

    rate: float
    """Benign accounts above the threshold."""
    recall: float
    """Distilling accounts above it."""


def recall_curve_points(labels: Iterable[Label], accounts: Iterable[AccountRow]) -> list[CurvePoint]:
    """Recall at every false-positive rate, where it changes; a rate of none is drawn as half an account."""
    results = {one.account_id: one for one in accounts}
    scores: dict[bool, list[float]] = {False: [], True: []}
    for label in labels:
        scores[label.distill].append(score_of(results, label.account_id))
    benign, distill = sorted(scores[False], reverse=True), sorted(scores[True], reverse=True)
    points: list[CurvePoint] = []
    above = 0
    for at, score in enumerate(benign):
        while above < len(distill) and distill[above] > score:
            above += 1
        points.append({"rate": max(at, 0.5) / len(benign), "recall": above / max(1, len(distill))})
    last = len(points) - 1
    return [point for at, point in enumerate(points) if at in (0, last) or point["recall"] != points[at - 1]["recall"]]
