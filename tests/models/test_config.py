"""The settings: what is refused, and a hash that names them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from stillwatch_models.config import EngineConfig, PolicyConfig, TierBudgets

REFUSED = [
    {"pane_seconds": 0},
    {"lateness_seconds": -1},
    {"max_entities": 0},
    {"budget_per_10k_account_days": 0},
    {"min_events": 1.5},
    {"tier_budgets": {"critical": 0}},
    {"tier_budgets": {"low": 1}},
    {"policy": {"mode": "enforced"}},
    {"policy": {"max_account_share": 1.5}},
    {"policy": {"directive_ttl_seconds": 0}},
    {"panes": 3},
]


@pytest.mark.parametrize("values", REFUSED, ids=str)
def test_nonsense_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(values, EngineConfig)


def test_equal_settings_have_equal_hashes() -> None:
    assert EngineConfig().hash() == msgspec.convert({}, EngineConfig).hash()
    assert len(EngineConfig().hash()) == 12


@pytest.mark.parametrize("name", [field.name for field in msgspec.structs.fields(EngineConfig)])
def test_every_setting_changes_the_hash(name: str) -> None:
    value = getattr(EngineConfig(), name)
    others = {
        "policy": PolicyConfig(suspend_needs_human=False),
        "disabled_signals": ("volume",),
        "tier_budgets": TierBudgets(high=0.25),
    }
    other = others[name] if name in others else value + 1
    assert msgspec.structs.replace(EngineConfig(), **{name: other}).hash() != EngineConfig().hash()


def test_the_default_is_shadow_with_a_human_in_the_way() -> None:
    policy = EngineConfig().policy
    assert (policy.mode, policy.suspend_needs_human) == ("shadow", True)
    assert policy.max_account_share <= 0.05
