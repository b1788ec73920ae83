"""The features of an account, one declarative table: what each is, its unit, its horizon and how it is scaled.

A feature is a pure function of account rows, row by row, so it can be computed for any number of rows at once with
equal results. Detectors name the features they read; the forest reads all of them, scaled to [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from stillwatch_models import distinct
from stillwatch_models.accounts import DISTINCT, HOURS, SUM_INDEX, TEMPLATE_BUCKETS, Rows
from stillwatch_models.cell import FIXED
from stillwatch_models.learners.population import kind_of

Floats = NDArray[np.float64]

FULL_SHARE = 255.0
"""The sketch's scores arrive as 0..255."""
FULL_EMBEDDING = 127.0
PRIOR_EVENTS = 8.0
"""Shares are drawn towards the middle as if this many events of an average account had been seen too."""
EARLY_DAYS, GROWN_WEEKS = 7.0, 2.0
"""First days of an account, which are its own frozen baseline, and its age when it is measured against them."""
PRIOR_LOG_GAP_SD = 3.0
"""Doublings; the spread of gaps of a person who reads and thinks."""


class Feature(msgspec.Struct, frozen=True):
    """One column of the feature matrix."""

    name: str
    unit: str
    meaning: str
    horizon: str
    low: float
    high: float
    """Values from `low` to `high` are scaled to [0, 1] for the forest; beyond is clipped."""
    compute: Callable[[Rows], Floats]


def total(rows: Rows, name: str) -> Floats:
    """One of the fading sums (see `accounts.SUMS`)."""
    return np.asarray(rows["sums"][:, SUM_INDEX[name]])


def share(rows: Rows, name: str, prior: float) -> Floats:
    """Sum per event, drawn towards `prior` while there are few events (posterior mean of a Beta-binomial)."""
    return np.asarray((total(rows, name) + prior * PRIOR_EVENTS) / (total(rows, "events") + PRIOR_EVENTS))


def _mean_text(rows: Rows, name: str) -> Floats:
    return np.asarray(total(rows, name) / (total(rows, "texts") + PRIOR_EVENTS) / FULL_SHARE)


def _spread(rows: Rows, name: str, count: str) -> Floats:
    """Standard deviation of a fixed-point logarithm, in doublings."""
    n = np.maximum(total(rows, count), 1.0)
    mean = total(rows, name) / n
    variance = np.maximum(total(rows, f"{name}_squared") / n - mean * mean, 0.0)
    return np.asarray(np.sqrt(variance) / FIXED)


def days_active(rows: Rows) -> Floats:
    """Days from the account's first event to its latest, at least one."""
    return np.asarray(np.maximum(1.0, (rows["last_ts"] - rows["first_ms"]) / 86_400_000.0))


def events_per_day(rows: Rows) -> Floats:
    """Requests a day over the account's life."""
    return np.asarray(rows["events"] / days_active(rows))


def own_surge(rows: Rows) -> Floats:
    """Doublings of the last hour's requests over the account's own average hour."""
    usual = rows["events"] / np.maximum(24.0 * days_active(rows), 1.0)
    return np.asarray(np.log2((1.0 + rows["fast_events"]) / (1.0 + usual)))


def own_growth(rows: Rows) -> Floats:
    """Doublings of the usual week's requests over the account's first week, from its third week on; 0 before.

    The first week is never learned again, so a slow ramp shows in full in the end, however slow it was.
    """
    age_weeks = days_active(rows) / EARLY_DAYS
    known = 1.0 - np.exp2(-age_weeks)  # how much of the fading sum there can be so far, of a steady account
    week = total(rows, "events") * np.log(2.0) / known
    growth = np.log2((week + PRIOR_EVENTS) / (rows["early_events"] + PRIOR_EVENTS))
    return np.asarray(np.where(age_weeks >= GROWN_WEEKS, growth, 0.0))


def gap_spread(rows: Rows) -> Floats:
    """Standard deviation of the logarithm of gaps inside sessions, drawn towards a person's while gaps are few."""
    n = total(rows, "gaps")
    spread = _spread(rows, "log_gaps", "gaps")
    return np.asarray(np.sqrt((n * spread**2 + PRIOR_EVENTS * PRIOR_LOG_GAP_SD**2) / (n + PRIOR_EVENTS)))


def gap_cv(rows: Rows) -> Floats:
    """Coefficient of variation of gaps inside sessions; 1 for a Poisson process, below for a loop. 0 without gaps."""
    n = np.maximum(total(rows, "gaps"), 1.0)
    mean = total(rows, "gap_seconds") / n
    variance = np.maximum(total(rows, "gap_seconds_squared") / n - mean * mean, 0.0)
    return np.asarray(np.sqrt(variance) / np.maximum(mean, 1.0))


def hour_entropy(rows: Rows) -> Floats:
    """Shannon entropy of the hour of day, 1 for round the clock; Miller and Madow's correction for small counts."""
    hours = rows["hours"].astype(np.float64)
    n = np.maximum(hours.sum(axis=1), 1.0)
    p = hours / n[:, None]
    entropy = -(p * np.log(np.maximum(p, 1e-12))).sum(axis=1) + ((hours > 0).sum(axis=1) - 1) / (2 * n)
    return np.asarray(np.clip(entropy / np.log(HOURS), 0.0, 1.0))


def template_mass(rows: Rows) -> Floats:
    """Probability that two of the account's prompts share a skeleton (Simpson), less chance collisions of buckets."""
    buckets = rows["templates"].astype(np.float64)
    n = buckets.sum(axis=1)
    pairs = (buckets * (buckets - 1)).sum(axis=1) / np.maximum(n * (n - 1), 1.0)
    chance = 1.0 / TEMPLATE_BUCKETS
    return np.asarray(np.clip((pairs - chance) / (1 - chance), 0.0, 1.0) * (n >= 2))  # noqa: PLR2004 - a pair is two


def life_texts(rows: Rows) -> Floats:
    """Texts over the account's whole life: distinct counts never fade, so they are not set against fading sums."""
    return np.asarray(rows["events"] * total(rows, "texts") / np.maximum(total(rows, "events"), 1e-9))


def distinct_of(rows: Rows, name: str) -> Floats:
    """Distinct texts, templates, cells or conversations so far."""
    return distinct.estimate(rows["registers"][:, DISTINCT.index(name)])


def coverage(rows: Rows) -> Floats:
    """Topic cells hit so far, in doublings."""
    return np.asarray(np.log2(1.0 + distinct_of(rows, "cells")))


def coverage_exponent(rows: Rows) -> Floats:
    """Heaps' exponent of the topic cells: near 1 while every request opens new ground, falling when topics return."""
    texts = np.maximum(life_texts(rows), 2.0)
    return np.asarray(np.log(1.0 + distinct_of(rows, "cells")) / np.log(1.0 + 4.0 * texts))


def freshness(rows: Rows) -> Floats:
    """Distinct texts per text: 1 when nothing is ever asked twice."""
    return np.asarray(np.clip((distinct_of(rows, "texts") + 4.0) / (life_texts(rows) + PRIOR_EVENTS), 0.0, 1.0))


def conversations(rows: Rows) -> Floats:
    """Distinct conversations per event: 1 when every request stands alone."""
    found = distinct_of(rows, "conversations")
    return np.asarray(np.clip((found + 4.0) / (rows["events"] + PRIOR_EVENTS), 0.0, 1.0))


def inner_variety(rows: Rows) -> Floats:
    """1 less the squared length of the mean embedding, corrected for the number of texts: 0 for one text, 1 for all."""
    n = total(rows, "texts")
    mean = rows["embedding"].astype(np.float64) / FULL_EMBEDDING / np.maximum(n, 1.0)[:, None]
    length = (mean * mean).sum(axis=1)
    corrected = (n * length - 1.0) / np.maximum(n - 1.0, 1.0)
    return np.asarray(np.where(n > 1, np.clip(1.0 - corrected, 0.0, 1.0), 0.0))


def _mean_log(name: str) -> Callable[[Rows], Floats]:
    return lambda rows: np.asarray(total(rows, name) / np.maximum(total(rows, "events"), 1.0) / FIXED)


def _share_of(name: str, prior: float) -> Callable[[Rows], Floats]:
    return lambda rows: share(rows, name, prior)


def _text_mean_of(name: str) -> Callable[[Rows], Floats]:
    return lambda rows: _mean_text(rows, name)


def _spread_of(name: str, count: str) -> Callable[[Rows], Floats]:
    return lambda rows: _spread(rows, name, count)


LIFE = "account life, half-life 7 d"
HOUR = "half-life 1 h"

FEATURES: tuple[Feature, ...] = (
    Feature("events_per_day", "requests/day", "requests a day", "account life", 0.0, 2_000.0, events_per_day),
    Feature("own_surge", "doublings", "last hour against the account's own average hour", HOUR, 0.0, 10.0, own_surge),
    Feature("own_growth", "doublings", "usual week against the account's own first week", LIFE, -5.0, 10.0, own_growth),
    Feature("gap_spread", "doublings", "spread of the gaps inside sessions", LIFE, 0.0, 6.0, gap_spread),
    Feature("gap_cv", "ratio", "variation of the gaps inside sessions", LIFE, 0.0, 4.0, gap_cv),
    Feature("hour_entropy", "share of 24 h", "spread over the hours of the day", LIFE, 0.0, 1.0, hour_entropy),
    Feature("one_shot", "share", "requests that open a conversation", LIFE, 0.0, 1.0, _share_of("one_shot", 0.6)),
    Feature("follow_ups", "share", "requests that follow up", LIFE, 0.0, 1.0, _share_of("follow_ups", 0.4)),
    Feature("conversations", "share", "distinct conversations a request", LIFE, 0.0, 1.0, conversations),
    Feature(
        "log_chars", "doublings", "usual length of the prompt, characters", LIFE, 0.0, 14.0, _mean_log("log_chars")
    ),
    Feature("chars_spread", "doublings", "spread of that", LIFE, 0.0, 4.0, _spread_of("log_chars", "events")),
    Feature("log_output", "doublings", "usual length of the answer, tokens", LIFE, 0.0, 13.0, _mean_log("log_output")),
    Feature("output_spread", "doublings", "spread of that", LIFE, 0.0, 4.0, _spread_of("log_output", "events")),
    Feature("rides_limit", "share", "answers cut at max_tokens", LIFE, 0.0, 1.0, _share_of("rides_limit", 0.05)),
    Feature("failed", "share", "failed requests", LIFE, 0.0, 1.0, _share_of("failed", 0.02)),
    Feature("system", "share", "requests with a system prompt", LIFE, 0.0, 1.0, _share_of("system", 0.3)),
    Feature("tools", "share", "requests with tools", LIFE, 0.0, 1.0, _share_of("tools", 0.1)),
    Feature("logprobs", "share", "requests for log probabilities", LIFE, 0.0, 1.0, _share_of("logprobs", 0.01)),
    Feature("many", "share", "requests for several answers", LIFE, 0.0, 1.0, _share_of("many", 0.01)),
    Feature("fixed", "share", "requests with decoding held fixed", LIFE, 0.0, 1.0, _share_of("fixed", 0.1)),
    Feature("released", "share", "requests to a model just released", LIFE, 0.0, 1.0, _share_of("released", 0.02)),
    Feature(
        "requeried", "share", "own prompts sent again to another model", LIFE, 0.0, 1.0, _share_of("requeried", 0.0)
    ),
    Feature("template_mass", "probability", "that two prompts share a skeleton", LIFE, 0.0, 1.0, template_mass),
    Feature("freshness", "share", "prompts never sent before", "account life", 0.0, 1.0, freshness),
    Feature("coverage", "doublings", "topic cells hit", "account life", 0.0, 12.0, coverage),
    Feature("coverage_exponent", "exponent", "growth of topics", "account life", 0.0, 1.2, coverage_exponent),
    Feature("inner_variety", "0 to 1", "how different the prompts are from each other", LIFE, 0.0, 1.0, inner_variety),
    Feature("elicitation", "0 to 1", "asks for written-out reasoning", LIFE, 0.0, 1.0, _text_mean_of("elicitation")),
    Feature("grading", "0 to 1", "asks to grade or rank answers", LIFE, 0.0, 1.0, _text_mean_of("grading")),
    Feature("probing", "0 to 1", "probes safety boundaries", LIFE, 0.0, 1.0, _text_mean_of("probing")),
    Feature("code", "0 to 1", "program code in the prompts", LIFE, 0.0, 1.0, _text_mean_of("code")),
)

INDEX = {feature.name: i for i, feature in enumerate(FEATURES)}


mean_log_output = _mean_log("log_output")


def kind(rows: Rows) -> NDArray[np.intp]:
    """What kind of traffic each account sends; see `learners.population.kind_of`."""
    one_shot, system, tools = share(rows, "one_shot", 0.6), share(rows, "system", 0.3), share(rows, "tools", 0.1)
    return kind_of(one_shot, system, tools, mean_log_output(rows))


def matrix(rows: Rows) -> Floats:
    """All features in natural units, shape (rows, features)."""
    rows = np.ascontiguousarray(rows)
    return np.column_stack([feature.compute(rows) for feature in FEATURES])


def scaled(values: Floats) -> Floats:
    """The same clipped to each feature's range and scaled to [0, 1]."""
    low = np.array([feature.low for feature in FEATURES])
    high = np.array([feature.high for feature in FEATURES])
    return np.asarray(np.clip((values - low) / (high - low), 0.0, 1.0))
