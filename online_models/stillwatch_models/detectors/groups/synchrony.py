"""Synchrony: members are active in the same panes more often than independent accounts would be.

Hypothesis: accounts that one scheduler drives start, pause and stop together.
Formula: in each window, d = pairs active in the same pane, less their expectation if every account's active panes fell
    at random, sum over pairs of m_a m_b / W (m_a active panes of account a, W panes). Over windows the self-normalised
    sum T = sum d / sqrt(sum d^2), fading with a half-life of a day; under independence d has mean zero, and for
    symmetric d the tail is at most exp(-T^2 / 2) (Efron 1969; de la Pena, Lai and Shao 2009), so the
    reading is T^2 / 2. The expectation is first scaled by what all groups of the kind show together, so that a rhythm
    that everybody has counts for nobody. Self-normalising makes bursts harmless: one window weighs at most half a nat.
Horizon: half-life of one day, at least twelve windows. Direction: more is worse.
Evades: a random start for every account; accounts in different groups.
Benign look-alikes: a class at its exercises, an office's cron jobs, a live event.
"""

from __future__ import annotations

import math

from stillwatch_models.detectors.groups.base import SILENT, GroupDetector, Kept, Reading, View

LEAST_WINDOWS = 12.0


def _step(kept: Kept, view: View) -> tuple[Kept, Reading]:
    if view.expected <= 0.0:
        return kept, SILENT
    total, square, windows, seen, chance = kept or (0.0, 0.0, 0.0, 0.0, 0.0)
    fade = 0.5 ** (1.0 / view.history)
    everybody = view.around.together / view.around.expected if view.around.expected > 0.0 else 1.0
    expected = view.expected * max(1.0, everybody)
    difference = view.together - expected
    total, square = fade * total + difference, fade * fade * square + difference * difference
    windows, seen, chance = fade * windows + 1.0, fade * seen + view.together, fade * chance + expected
    now = (total, square, windows, seen, chance)
    if total <= 0.0 or windows < LEAST_WINDOWS:
        return now, SILENT
    return now, Reading(total * total / (2.0 * square), seen, chance)


def _statement(group: str, reading: Reading) -> str:
    times = reading.observed / reading.baseline if reading.baseline > 0.0 else math.inf
    return (
        f"accounts of {group} were active in the same pane {reading.observed:.0f} times in about a day, "
        f"{times:.1f} times as often as chance gives"
    )


DETECTOR = GroupDetector(
    "synchrony",
    "coincidences",
    "half-life 1 d",
    frozenset({"net", "payment", "client", "template"}),
    _step,
    _statement,
)
