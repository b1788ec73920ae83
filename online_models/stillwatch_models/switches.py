"""Signals by name, and switching them off: what an ablation removes, and what an operator may not want.

A signal that is switched off (`disabled_signals`) is computed as before, so state and learners keep their shape, but it
counts for nothing: it adds no evidence, no rank, no reason and no alert.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from stillwatch_schemas.errors import ConfigError

from stillwatch_models.campaigns.content_tests import TESTS, ContentTest
from stillwatch_models.config import EngineConfig
from stillwatch_models.detectors import DETECTORS
from stillwatch_models.detectors.groups import GROUP_DETECTORS
from stillwatch_models.incidents import CAMPAIGN, HARD_CEILING

HARVEST = "harvest"
"""The test that decides about accounts; see `evidence`."""


def signal_names() -> tuple[str, ...]:
    """Every signal that can be switched off; `campaign` stands for all tests that compare accounts."""
    detectors, tests = (detector.name for detector in DETECTORS), (test.name for test in TESTS)
    return (HARVEST, *detectors, HARD_CEILING, *(group.name for group in GROUP_DETECTORS), CAMPAIGN, *tests)


def disabled_detectors(config: EngineConfig) -> list[int]:
    """Columns, in the order of `DETECTORS`, of the detectors that are switched off."""
    return [column for column, detector in enumerate(DETECTORS) if detector.name in config.disabled_signals]


def campaign_tests(config: EngineConfig) -> tuple[ContentTest, ...]:
    """The tests by which accounts are compared, without those that are switched off."""
    off = config.disabled_signals
    return () if CAMPAIGN in off else tuple(test for test in TESTS if test.name not in off)


def refuse_unknown_signals(names: Iterable[str], where: str) -> None:
    """Raise ConfigError where one of these names is no signal's; `where` says what named it."""
    known = signal_names()
    for name in names:
        if name not in known:
            alike = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {alike[0]}?" if alike else ""
            raise ConfigError(f"{where}: {name!r} is no signal.{hint} Known: {', '.join(known)}.")
