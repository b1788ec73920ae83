"""The compiled fold does what plain Python does event by event: see `support.plain_fold`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from stillwatch_models.accounts import DISTINCT, SUMS, AccountTable, Rows
from stillwatch_models.cell import Horizons
from stillwatch_models.columns import EMBEDDING, EVENT, Events
from stillwatch_models.fold import fold, in_order
from stillwatch_models.texts import TextMemory
from support.builders import T0
from support.folding import PANE_MS, TEXTS
from support.plain_fold import LATEST, PlainAccount

HORIZONS = Horizons(fast=6.0, slow=60.0, block=4, restart=50)
ACCOUNTS = 4
FLAGS = (
    "has_text",
    "formal",
    "impersonal",
    "answered",
    "one_shot",
    "follow_up",
    "system",
    "rides_limit",
    "failed",
    "logprobs",
    "many",
    "fixed",
    "released",
    "tools",
)
RARE = ("failed", "tools")
IDENTIFIERS = (*LATEST, "model", "conversation", "template", "opening", "lead", "tail", "cells")
NUMBERS = (
    "chars",
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "embedding",
    "minhash",
    "elicitation",
    "grading",
    "probing",
    "code",
)


def some_events(seed: int, count: int, kinds: int) -> Events:
    """Events of a few accounts with few different values, so that much of it happens again."""
    rng = np.random.default_rng(seed)
    events = np.zeros(count, EVENT)
    for name in FLAGS:
        events[name] = rng.random(count) < (0.1 if name in RARE else rng.choice([0.5, 0.95]))
    for name in IDENTIFIERS:
        events[name] = rng.integers(-1 if name == "cells" else 0, kinds, events[name].shape)
    for name in NUMBERS:
        events[name] = rng.integers(0, 120, events[name].shape)
    events["minhash"] = rng.integers(0, rng.choice([60, 300, 3_000]), events["minhash"].shape)
    subjects, spread = rng.integers(-60, 61, (3, EMBEDDING)), rng.integers(-60, 61, (count, EMBEDDING))
    events["embedding"] = subjects[rng.integers(0, 3, count)] + spread
    events["row"] = rng.integers(0, ACCOUNTS, count)
    events["ts"] = T0 + np.cumsum(rng.choice([5, 2_000, 40_000, 2_000_000], count, p=[0.6, 0.2, 0.19, 0.01]))
    events["pane"] = events["ts"] // PANE_MS
    events["text_hash"] = (
        1 + events["row"] * 100_000 + rng.integers(0, 10 * kinds, count)
    )  # nobody sends another's text
    events["event_hash"] = events["offset"] = np.arange(count)
    for name in ("embedding", "cells", "minhash"):
        events[name][events["has_text"] == 0] = -1 if name == "cells" else 0
    return events


@given(seed=st.integers(0, 10_000), count=st.integers(1, 300), kinds=st.sampled_from([2, 30, 1_000]))
@settings(max_examples=40, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
def test_folding_equals_plain_python(seed: int, count: int, kinds: int) -> None:
    table = AccountTable()
    slots = table.slots([f"a{n}" for n in range(ACCOUNTS)])
    cells = fold(table, TextMemory(TEXTS), in_order(some_events(seed, count, kinds), table.rows["key"]), HORIZONS)
    plain = {slot: PlainAccount() for slot in slots}
    for slot, pane, start, events in zip(cells.slot, cells.pane, cells.start, cells.count, strict=True):
        plain[int(slot)].fold(int(pane), list(cells.events[start : start + events]), HORIZONS)
    for slot in table.used().tolist():
        same(table.row(slot), plain[slot])


def same(row: Rows, plain: PlainAccount) -> None:
    """Whole numbers are equal, floats nearly."""
    assert dict(zip(SUMS, row["sums"].tolist(), strict=True)) == pytest.approx(plain.sums, rel=1e-12)
    for name, values in (("hours", plain.hours), ("templates", plain.templates), ("embedding", plain.embedding)):
        assert row[name].tolist() == pytest.approx(values, rel=1e-4, abs=1e-2)
    for name in ("harvest", "informal_harvest", "wrapped", "repeats", "shared", "blocks", "harvest_blocks"):
        assert (name, int(row[name])) == (name, plain.counts[name])
    assert int(row["one_shots"]) == plain.counts["one_shot"]
    assert {name: int(row[name]) for name in LATEST} == plain.latest
    assert int(row["last_ts"]) == plain.last_ts
    for name in DISTINCT:
        assert row["registers"][DISTINCT.index(name)].tolist() == plain.registers[name]
    for name, (sums, number) in plain.contents.items():
        assert (row[f"{name}_content"]["sum"].tolist(), int(row[f"{name}_content"]["count"])) == (sums, number)
    for name, bits in (("seen_words", plain.words), ("seen_texts", plain.texts)):
        assert set(np.flatnonzero(np.unpackbits(row[name], bitorder="little")).tolist()) == bits
    for name, histogram in plain.histograms.items():
        assert {i: n for i, n in enumerate(row[f"{name}s"].tolist()) if n} == dict(histogram)
