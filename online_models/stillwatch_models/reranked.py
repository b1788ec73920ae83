"""What the re-ranker reads of an account: a few of its features and what the harvest test counted.

Shares and lengths that mean the same for every customer; nothing that names one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stillwatch_models import features
from stillwatch_models.accounts import Rows

Floats = NDArray[np.float64]

FULL_BLOCKS, FULL_JOINT, FULL_SHARE_PRIOR = 48.0, 20.0, 4.0
"""Blocks and joint score that count as much; events that a share is drawn towards zero by."""
FEATURES = (
    "one_shot",
    "follow_ups",
    "log_chars",
    "chars_spread",
    "log_output",
    "output_spread",
    "rides_limit",
    "system",
    "tools",
    "template_mass",
    "freshness",
    "coverage_exponent",
    "inner_variety",
    "elicitation",
    "grading",
    "code",
    "gap_spread",
    "hour_entropy",
)
"""Features that the re-ranker reads besides harvest shares, blocks and the joint score: none names a customer."""
COLUMNS = 4 + len(FEATURES)


def account_features(rows: Rows) -> Floats:
    """What the re-ranker reads of accounts, each in [0, 1], shape (n, columns)."""
    answers = rows["answers"] + FULL_SHARE_PRIOR
    scaled = features.scaled(features.matrix(rows))
    own = [
        np.clip((rows["harvest"] + 1.0) / answers, 0.0, 1.0),
        np.clip((rows["informal_harvest"] + 1.0) / answers, 0.0, 1.0),
        np.minimum(rows["harvest_blocks"] / FULL_BLOCKS, 1.0),
        np.clip(rows["joint"] / FULL_JOINT, 0.0, 1.0),
    ]
    return np.column_stack([*own, *(scaled[:, features.INDEX[name]] for name in FEATURES)])
