"""`docs/detection.md` and `docs/architecture.md` agree with the code, and every promise names a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from stillwatch_models import evidence, features, harvest
from stillwatch_models.config import EngineConfig
from stillwatch_models.detectors import DETECTORS
from stillwatch_models.detectors.groups import GROUP_DETECTORS
from stillwatch_models.detectors.groups.base import LEAST_NATS
from stillwatch_models.detectors.groups.surge import LEAST_ARRIVALS
from stillwatch_models.group_state import INNOCENT_SHARE, SUSPECT_NATS
from stillwatch_models.policy import STRENGTH, TRANSITIONS
from support.core_tables import DOCS, PARTS, generated, sections

ROOT = Path(__file__).parents[2]


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PARTS)
def test_generated_parts_are_up_to_date(name: str) -> None:
    assert generated(name, page(name)) == page(name), "run PYTHONPATH=tests .venv/bin/python -m support.core_tables"


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.name)
def test_a_detector_file_opens_with_its_reasons(detector: object) -> None:
    said = sections(f"stillwatch_models.detectors.{detector.name}")
    assert {"title", "Hypothesis", "Formula", "Evades", "Benign look-alikes"} <= {
        key for key, text in said.items() if text
    }


@pytest.mark.parametrize("detector", GROUP_DETECTORS, ids=lambda detector: detector.name)
def test_a_group_detector_file_opens_with_its_reasons(detector: object) -> None:
    said = sections(f"stillwatch_models.detectors.groups.{detector.name}")
    assert {"title", "Hypothesis", "Formula", "Horizon", "Evades", "Benign look-alikes"} <= {
        key for key, text in said.items() if text
    }


def test_feature_names_are_unique() -> None:
    assert len({feature.name for feature in features.FEATURES}) == len(features.FEATURES)


def test_figures_in_the_text_are_those_of_the_code() -> None:
    """The sentences that carry a number; reworded text fails here on purpose, so that somebody looks."""
    config = EngineConfig()
    strict, loose = evidence.STRICT_BOUNDS, evidence.LOOSE_BOUNDS
    for sentence in (
        f"Panes are {config.pane_seconds:g} s long",
        f"allowed lateness is {config.lateness_seconds:g} s",
        f"between {strict[0]:g} and {strict[1]:g}",
        f"between {loose[0]:g} and {loose[1]:g}",
        f"in at least {config.persistence_blocks} different hours, or {config.persistence_events} of them",
        f"the default of {config.budget_per_10k_account_days:g}",
        f"less than {100 * harvest.MOST_TEMPLATE:.0f} %",
        f"at least {LEAST_ARRIVALS} arrivals",
        f"a reading of {LEAST_NATS:g} nats",
        f"at least {SUSPECT_NATS:g} nats",
        f"probability {INNOCENT_SHARE:g}",
        f"{config.group_history_windows} windows, a day",
        f"the {config.max_groups:,} groups",
        f"{config.hard_ceiling_per_minute:,} requests a minute",
    ):
        assert sentence in " ".join(page("detection.md").split()), sentence


def test_the_policy_table_is_the_codes() -> None:
    text = page("architecture.md")
    for (kind, tier), (action, _) in TRANSITIONS.items():
        assert f"| `{kind}` | {tier} | {action} " in text, (kind, tier)
    assert " < ".join(sorted(STRENGTH, key=lambda action: STRENGTH[action])) in text


def test_every_promise_names_a_test_that_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page("architecture.md"))
    assert len(named) >= 15
    missing = [(path, test) for path, test in named if f"def {test}(" not in source(path)]
    assert missing == []


def source(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8") if (ROOT / path).exists() else ""
