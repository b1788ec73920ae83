"""Has the core become slower? Instruction counts of its hot functions against the recorded ones.

    python bench/instructions.py [--record] [--repeat 2]

Each count is divided by that of a yardstick which contains none of our code. More than 10 % above the record is a
regression (exit 1): mend it, or record anew and say why. Counts do not depend on the machine's load; they do depend on
the interpreter and on NumPy, so against other versions than the recorded ones figures are shown and nothing is judged.
Where Valgrind is missing or not
allowed to count, nothing can be said (exit 0).
"""

from __future__ import annotations

import argparse
import platform
import sys
from importlib.metadata import version
from typing import Any

import msgspec
from counting import callgrind
from live.results import FOLDER

RECORD = FOLDER / "instructions.json"
TOLERANCE = 0.10


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the repository."""

    versions: dict[str, str]
    """Of what the counts depend on besides our code."""
    yardstick: int
    """Instructions."""
    ratios: dict[str, float]
    """Instructions of each workload in yardsticks."""


def main() -> int:
    """Count, compare or record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="keep these counts as the ones to compare with")
    parser.add_argument("--repeat", type=int, default=1, help="count so often, each time anew, and show the spread")
    options = parser.parse_args()
    if not callgrind.available():
        print("no Valgrind here, so no instruction counts (Debian: apt install valgrind)")
        return 0
    try:
        found = [measured(callgrind.count()) for _ in range(options.repeat)]
    except callgrind.CallgrindError as error:
        print(f"Valgrind does not count here, so nothing can be said: {error}")
        return 0
    if options.repeat > 1:
        show_spread(found)
    if options.record:
        RECORD.write_bytes(msgspec.json.format(msgspec.json.encode(found[0]), indent=2) + b"\n")
    return compare(found[0], msgspec.json.decode(RECORD.read_bytes(), type=Record))


def measured(counts: dict[str, int]) -> Record:
    """Counts as ratios."""
    yardstick = counts["yardstick"]
    ratios = {name: round(count / yardstick, 4) for name, count in counts.items() if name != "yardstick"}
    return Record(versions=versions(), yardstick=yardstick, ratios=ratios)


def versions() -> dict[str, str]:
    """What the counts depend on besides our code."""
    return {"python": platform.python_version(), "numpy": version("numpy"), "msgspec": version("msgspec")}


def compare(now: Record, recorded: Record) -> int:
    """Print a line a workload; 1 where one has become slower than allowed."""
    comparable = now.versions == recorded.versions
    slower = []
    for name, ratio in now.ratios.items():
        before = recorded.ratios.get(name)
        change = f"{ratio / before - 1:+.1%}" if before else "new"
        print(f"{name:<18} {ratio:9.3f} yardsticks, recorded {before or float('nan'):9.3f}  {change}")
        if before and ratio > before * (1 + TOLERANCE):
            slower.append(name)
    if not comparable:
        print(f"recorded with {recorded.versions}, this is {now.versions}: not judged")
        return 0
    if slower:
        print(f"slower by more than {TOLERANCE:.0%}: {', '.join(slower)}. If that is meant: --record, and say why.")
    return int(bool(slower))


def show_spread(found: list[Record]) -> None:
    """How far counts of the same code differ."""
    for name in found[0].ratios:
        values: list[Any] = [record.ratios[name] for record in found]
        print(f"{name:<18} {min(values):.4f} to {max(values):.4f}: {max(values) / min(values) - 1:.2%}")


if __name__ == "__main__":
    sys.exit(main())
