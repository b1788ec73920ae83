"""The account's detectors, one file each, in the order of the score columns."""

from __future__ import annotations

from stillwatch_models.detectors import (
    coverage_growth,
    elicitation,
    half_space_trees,
    machine_rhythm,
    session_shape,
    template_mass,
    volume,
)
from stillwatch_models.detectors.base import Detector, Values

DETECTORS: tuple[Detector, ...] = (
    volume.DETECTOR,
    machine_rhythm.DETECTOR,
    session_shape.DETECTOR,
    template_mass.DETECTOR,
    coverage_growth.DETECTOR,
    elicitation.DETECTOR,
    half_space_trees.DETECTOR,
)

__all__ = ["DETECTORS", "Detector", "Values"]
