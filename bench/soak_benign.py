"""Four simulated weeks without an attack: false alerts per 10,000 account-days, tier by tier, against the budget.

make soak-benign                    28 days, about three minutes; writes bench/results/soak_benign.json
make soak-benign ARGS="--days 3"    a short one, which is not recorded
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec
from support.benign_soak import Soak, soak

RESULT = Path(__file__).parent / "results" / "soak_benign.json"
RECORDED_DAYS = 28.0


def main() -> int:
    """Exit code 1 where a tier's budget is broken beyond chance, or a recorded run can't show that it holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=float, default=RECORDED_DAYS)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    result = soak(options.days, options.seed)
    print(msgspec.json.format(msgspec.json.encode(result)).decode())
    if options.days >= RECORDED_DAYS:
        RESULT.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    return 0 if holds(result) else 1


def holds(result: Soak) -> bool:
    """No tier is beyond its budget beyond chance; for all alerts together even the upper bound is within it."""
    whole = result.tiers[0]
    proven = whole.high <= whole.budget_per_10k_account_days or result.days < RECORDED_DAYS
    return proven and all(tier.low <= tier.budget_per_10k_account_days for tier in result.tiers)


if __name__ == "__main__":
    sys.exit(main())
