"""Template mass and template entropy: how many different skeletons an account's prompts have.

Hypothesis: benign automation repeats a few templates (judges 0.9, few-shot evaluation 1.0 of their prompts), people
    write freely but little. A harvester needs many *different* prompts: many skeletons at a volume at which benign
    traffic repeats itself. So it is the lack of template mass for the volume that is suspicious, and repetition that
    exonerates.
Formula: log2 of the effective number of skeletons, 1 / Simpson's concentration of masked prompts (Simpson 1949), at
    most 2 + 256 * freshness. Ranked within the stratum of accounts with as many events.
Evades: harvesting within one template (a translation prompt with changing sentences): see coverage growth.
Benign look-alikes: relay bots that forward many people's questions; busy developers.
"""

from __future__ import annotations

import numpy as np

from stillwatch_models.detectors.base import Detector, Floats, Values


def _score(values: Values) -> Floats:
    return np.asarray(-np.log2(np.maximum(values.template_mass, 1.0 / (2.0 + values.freshness * 256.0))))


def _statement(values: Values) -> str:
    mass = values.template_mass[0]
    return f"two prompts of the account share a skeleton with probability {mass:.3f}: it hardly repeats a template"


DETECTOR = Detector("template_mass", "log2 effective skeletons", "account life, half-life 7 d", 1.0, _score, _statement)
