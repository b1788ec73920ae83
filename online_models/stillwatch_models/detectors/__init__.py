"""The account's detectors, one file each, in the order of the score columns."""

from __future__ import annotations

from stillwatch_models.detectors import (
    capability_focus,
    content_breadth,
    coverage_growth,
    elicitation,
    half_space_trees,
    machine_rhythm,
    model_requery,
    parameter_habits,
    probing,
    release_pivot,
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
    content_breadth.DETECTOR,
    capability_focus.DETECTOR,
    probing.DETECTOR,
    parameter_habits.DETECTOR,
    release_pivot.DETECTOR,
    model_requery.DETECTOR,
)

__all__ = ["DETECTORS", "Detector", "Values"]
