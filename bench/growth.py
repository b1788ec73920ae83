"""What growth costs: events a second, memory, checkpoints and restart by the number of accounts and of groups.

    python bench/growth.py [--accounts 1000 10000 100000 1000000] [--groups 10 100 1000] [--quick]

Drives the engines themselves, without a broker: whatever a worker does with a decoded event, and its checkpoints, but
neither Kafka nor decoding. Each size has a process of its own. Writes bench/results/growth.json.
"""

from __future__ import annotations

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import msgspec
from growing.measure import Load, measure
from live import results

ACCOUNTS = (1_000, 10_000, 100_000, 1_000_000)
GROUPS = (10, 100, 1_000)
ACTIVE = 10_000
GROUP_ACCOUNTS = 100_000


def main() -> None:
    """Measure each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, nargs="+", default=ACCOUNTS)
    parser.add_argument("--groups", type=int, nargs="+", default=GROUPS)
    parser.add_argument("--events", type=int, default=200_000, help="measured events of each size")
    parser.add_argument("--quick", action="store_true", help="two small sizes, results not kept")
    options = parser.parse_args()
    if options.quick:
        options.accounts, options.groups, options.events = (1_000, 20_000), (10, 1_000), 20_000
    before = results.load()
    by_accounts = [
        in_fresh_process(Load(accounts=count, active=active, groups=50, events=options.events))
        for count in options.accounts
        for active in sorted({min(ACTIVE, count), count})
    ]
    held = min(GROUP_ACCOUNTS, max(options.accounts))
    by_groups = [
        in_fresh_process(Load(accounts=held, active=held, groups=count, events=options.events))
        for count in options.groups
    ]
    results.write("growth", before, keep=not options.quick, by_accounts=by_accounts, by_groups=by_groups)


def in_fresh_process(load: Load) -> dict[str, Any]:
    """Measure where nothing else has used memory."""
    print(f"{load.accounts:,} accounts, {load.active:,} of them active, {load.groups:,} groups ...", flush=True)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return {**msgspec.to_builtins(load), **pool.submit(measure, load).result()}


if __name__ == "__main__":
    main()
