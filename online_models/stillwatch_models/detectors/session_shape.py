"""Session shape: every request stands alone and nobody follows up.

Hypothesis: a harvester wants one good answer a prompt. It opens a conversation for each, never says "shorter, please",
    and lets the answer run long.
Formula: one-shot share * distinct conversations per request * (1 - half the failed share). Shares are drawn towards an
    average account's while events are few.
Evades: faking follow-ups, which costs the harvester tokens; multi-turn self-play.
Benign look-alikes: ETL, evaluation, judges, relay bots.
"""

from __future__ import annotations

import numpy as np

from stillwatch_models.detectors.base import Detector, Floats, Values


def _score(values: Values) -> Floats:
    return np.asarray(values.one_shot * values.conversations * (1.0 - 0.5 * values.failed))


def _statement(values: Values) -> str:
    alone, follow = 100 * values.one_shot[0], 100 * values.follow_ups[0]
    return (
        f"{alone:.0f} % of requests open a conversation, {follow:.0f} % follow up; "
        f"answers run to {2.0 ** values.log_output[0]:.0f} tokens"
    )


DETECTOR = Detector("session_shape", "share", "account life, half-life 7 d", 1.0, _score, _statement)
