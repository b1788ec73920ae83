"""What a sketch costs in CPU time of one core, by length of the prompt, alone and in batches; fills in docs/sketch.md.

    python bench/sketch.py [--rounds 15] [--no-keep]

Texts come from the simulator, so that hardly two are alike: the same text again and again would flatter the figures,
since the processor learns its way through it. Alone, batch, and alone where Numba is not installed take turns in every
round. The yardstick is BLAKE2b over 16 KiB, in C and on one core: on a busy machine compare the figures in yardsticks.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

from live.results import load, write
from stillwatch_schemas.sketch import Sketcher
from stillwatch_streams.simulator import generate, load_scenario

LENGTHS = (100, 300, 1_000, 4_000)
"""Characters of the prompts that are measured by length."""
TEXTS = 512
BATCH = 256
SCENARIO, SEED, START_MS = "low-and-slow", 1, 1_767_571_200_000
KEY = b"a key for benchmarks only"
MIX = "simulated traffic"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "sketch.md"
TABLE = re.compile(r"(?<=<!-- cost -->\n).*?(?=<!-- /cost -->)", re.DOTALL)

Texts = list[tuple[str | None, str | None]]


def main() -> None:
    """Measure, write the result, and put the table into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--no-keep", action="store_true", help="print the result only")
    options = parser.parse_args()
    before = load()
    sketcher, plain = Sketcher(KEY), without_numba()
    block = bytes(16_384)
    rows = [measured(name, texts, sketcher, plain, options.rounds) for name, texts in samples().items()]
    yard = statistics.median(cpu_us(lambda: hashlib.blake2b(block).digest()) for _ in range(50 * options.rounds))
    write("sketch", before, keep=not options.no_keep, yardstick_us=round(yard, 2), batch=BATCH, prompts=rows)
    if not options.no_keep:
        PAGE.write_text(TABLE.sub(lambda _: table(rows, yard), PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def without_numba() -> Sketcher:
    """The sketcher of a gateway that has NumPy only."""
    with patch.dict(sys.modules, {"numba": None}):
        return Sketcher(KEY)


def samples() -> dict[str, Texts]:
    """Texts of each length, cut from simulated prompts end to end, and simulated requests as they are."""
    events = (labelled.event for labelled in generate(load_scenario(SCENARIO), SEED, START_MS))
    traffic: Texts = [(event.prompt, event.system_prompt) for event in islice(events, 20 * TEXTS)]
    by_length = {f"{length:,} characters": list(_cut(traffic, length)) for length in LENGTHS}
    return by_length | {MIX: traffic[-2 * TEXTS :]}


def _cut(traffic: Texts, length: int) -> Iterator[tuple[str | None, str | None]]:
    text = " ".join(prompt for prompt, _ in traffic if prompt)
    for start in range(0, min(TEXTS, len(text) // length) * length, length):
        yield text[start : start + length], None


def measured(name: str, texts: Texts, sketcher: Sketcher, plain: Sketcher, rounds: int) -> dict[str, Any]:
    """Medians over the rounds, CPU microseconds a prompt; a first round that is not counted meets the words."""
    alone, batched, plainly = [], [], []
    for _ in range(rounds + 1):
        alone.append(cpu_us(lambda: [sketcher.sketch(*pair) for pair in texts]) / len(texts))
        plainly.append(cpu_us(lambda: [plain.sketch(*pair) for pair in texts]) / len(texts))
        batched.append(cpu_us(lambda: in_batches(sketcher, texts)) / len(texts))
    return {
        "texts": name,
        "count": len(texts),
        "mean_characters": round(statistics.mean(len(prompt or "") for prompt, _ in texts)),
        "alone_us": round(statistics.median(alone[1:]), 1),
        "alone_us_best": round(min(alone[1:]), 1),
        "batch_us": round(statistics.median(batched[1:]), 1),
        "batch_us_best": round(min(batched[1:]), 1),
        "plain_us": round(statistics.median(plainly[1:]), 1),
    }


def in_batches(sketcher: Sketcher, texts: Texts) -> None:
    """All texts, a batch at a time."""
    for start in range(0, len(texts), BATCH):
        sketcher.sketch_many(texts[start : start + BATCH])


def cpu_us(work: Callable[[], object]) -> float:
    """CPU microseconds of this thread: other processes disturb it less than wall time, though not a little."""
    started = time.thread_time()
    work()
    return (time.thread_time() - started) * 1e6


def table(rows: list[dict[str, Any]], yard: float) -> str:
    """The rows as Markdown."""
    lines = [
        f"| prompts | alone, us | batch of {BATCH} | best: alone / batch | yardsticks of {yard:.0f} us | plain, us |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['texts']} (mean {row['mean_characters']:,}) | {row['alone_us']:.0f} | {row['batch_us']:.0f} "
        f"| {row['alone_us_best']:.0f} / {row['batch_us_best']:.0f} "
        f"| {row['alone_us'] / yard:.1f} / {row['batch_us'] / yard:.1f} | {row['plain_us']:.0f} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
