"""What a sketch costs: CPU time by rounds, and the ratio to a fixed piece of work, which cancels much of the load.

    python bench/sketch.py [--rounds 60]

The yardstick is BLAKE2b over 16 KiB, in C and on one core like most of the sketch. On a busy machine read the best
round and the ratio, not the median.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
from collections.abc import Callable
from functools import partial

from stillwatch_schemas.sketch import Sketcher

ENGLISH = (
    "I have been trying to understand how photosynthesis differs between desert plants and those growing in rain "
    "forests; could you compare the two, give three examples of each, and say which adaptations matter most when water "
    "is scarce? Please keep it readable for a class of fourteen-year-olds, about 300 words."
)
LABELLED = "Lang=en | Review text: {} Review score (between 1 and 5): 4 Return JSON.".format(
    "The kettle boils fast and pours well, though the lid is stiff. " * 4
)
CHINESE = "请用简单的语言解释为什么海水是咸的而河水不是并举出三个例子说明盐分从哪里来。" * 8
SHORT = "What is the best way to keep basil alive on a north-facing kitchen window in winter? It always dies."
MIX = (SHORT, SHORT, SHORT, ENGLISH, SHORT, LABELLED, SHORT, f"{ENGLISH} {LABELLED}" * 2, ENGLISH, CHINESE[:150])
"""A stand-in for real traffic: median 100 characters, mean 280, one text in ten beyond ASCII."""
BATCH = 256
BATCHED_CHARS = 10_000


def rounds_of(work: Callable[[], object], repeats: int, rounds: int) -> list[float]:
    """CPU microseconds per repeat, one figure a round: other processes disturb it less than wall time."""
    times = []
    for _ in range(rounds):
        started = time.thread_time()
        for _ in range(repeats):
            work()
        times.append((time.thread_time() - started) / repeats * 1e6)
    return times


def report(name: str, times: list[float], per: int, yard: float) -> None:
    """One line: best and median microseconds a text, and the best in yardsticks."""
    best, median = min(times) / per, statistics.median(times) / per
    print(f"{name:34} {best:9.1f} {median:9.1f} {best / yard:9.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    sketcher = Sketcher(b"a key for benchmarks only")
    block = bytes(16_384)
    yard = min(rounds_of(lambda: hashlib.blake2b(block).digest(), 50, rounds))
    print(f"yardstick: {yard:.1f} us\n{'us a text':34} {'best':>9} {'median':>9} {'yards':>9}")
    texts = {
        "English": ENGLISH,
        "labelled template": LABELLED,
        "Chinese": CHINESE,
        "one megabyte": "tide and time " * 72_000,
    }
    for name, text in texts.items():
        label = f"{name}, {len(text):,} characters"
        report(f"{label}, alone", rounds_of(partial(sketcher.sketch, text), 50, rounds), 1, yard)
        batch = [(f"{number} {text}", "Answer briefly.") for number in range(BATCH)]
        if len(text) < BATCHED_CHARS:
            times = rounds_of(partial(sketcher.sketch_many, batch), 1, rounds)
            report("  in batches", times, BATCH, yard)
    mix = [(f"{number} {MIX[number % len(MIX)]}", "Answer briefly.") for number in range(BATCH)]
    report("mixed traffic, in batches", rounds_of(lambda: sketcher.sketch_many(mix), 1, rounds), BATCH, yard)


if __name__ == "__main__":
    main()
