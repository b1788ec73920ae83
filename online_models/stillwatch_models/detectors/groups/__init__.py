"""The group detectors, one file each, in the order in which a group's evidence is listed."""

from __future__ import annotations

from stillwatch_models.detectors.groups import (
    fan_in,
    hand_over,
    sign_up_batch,
    surge,
    synchrony,
    under_dispersion,
)
from stillwatch_models.detectors.groups.base import GroupDetector, Kept, Reading, View

GROUP_DETECTORS: tuple[GroupDetector, ...] = (
    surge.DETECTOR,
    fan_in.DETECTOR,
    synchrony.DETECTOR,
    hand_over.DETECTOR,
    under_dispersion.DETECTOR,
    sign_up_batch.DETECTOR,
)

__all__ = ["GROUP_DETECTORS", "GroupDetector", "Kept", "Reading", "View"]
