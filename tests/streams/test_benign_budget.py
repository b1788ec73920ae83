"""Two simulated days without an attack; `make soak-benign` runs four weeks and records them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from support.benign_soak import Soak, soak

RECORDED = Path(__file__).parents[2] / "bench" / "results" / "soak_benign.json"


@pytest.fixture(scope="module")
def two_days() -> Soak:
    return soak(2.0, seed=4)


def test_no_tier_breaks_its_budget(two_days: Soak) -> None:
    """Beyond chance: even the lower bound would have to lie above it."""
    assert two_days.account_days > 1_500
    for tier in two_days.tiers:
        assert tier.low <= tier.budget_per_10k_account_days, two_days.alerted
    assert two_days.tiers[0].accounts <= 2


def test_the_recorded_four_weeks_prove_the_budget() -> None:
    """The upper end of the interval lies within the budget of all alerts; higher tiers hold fewer accounts."""
    recorded = msgspec.json.decode(RECORDED.read_bytes(), type=Soak)
    assert recorded.days >= 28
    whole, *higher = recorded.tiers
    assert whole.high <= whole.budget_per_10k_account_days
    assert all(tier.accounts <= whole.accounts for tier in higher)
