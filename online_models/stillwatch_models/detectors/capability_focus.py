"""Capability focus: one subject, and never the same prompt twice.

Hypothesis: a student that lacks one skill needs only that one (a thousand traces do for a narrow one), so the harvester
    asks about one subject, always new prompts, each by itself.
Formula: freshness * one-shot share * (1 - inner variety) * (1 - template mass): all of them, none alone. Freshness is
    distinct texts per text, inner variety one less the squared length of the mean embedding.
Horizon: account life. Direction: higher is more suspicious.
Evades: mixing subjects (see content breadth); pretending to talk.
Benign look-alikes: evaluation of one skill, a tutor's account, ETL over one kind of document, which templates betray.
"""

from __future__ import annotations

import numpy as np

from stillwatch_models.detectors.base import Detector, Floats, Values


def _score(values: Values) -> Floats:
    new_and_alone = values.freshness * values.one_shot
    return np.asarray(new_and_alone * (1.0 - values.inner_variety) * (1.0 - values.template_mass))


def _statement(values: Values) -> str:
    return (
        f"{100 * values.freshness[0]:.0f} % of prompts are new and {100 * values.one_shot[0]:.0f} % stand alone, "
        f"all about much the same (variety {values.inner_variety[0]:.2f} of 1)"
    )


DETECTOR = Detector("capability_focus", "0 to 1", "account life, half-life 7 d", 0.5, _score, _statement)
