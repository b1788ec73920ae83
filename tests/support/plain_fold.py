"""What folding a cell means, event by event in plain Python: the oracle of the compiled code.

Restarts and content means, which have tests of their own, are left out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from stillwatch_models import content
from stillwatch_models.accounts import SUMS
from stillwatch_models.cell import Horizons
from stillwatch_models.columns import EMBEDDING

PLAIN = (
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "one_shot",
    "system",
    "rides_limit",
    "failed",
    "logprobs",
    "many",
    "fixed",
    "released",
    "requeried",
    "tools",
    "elicitation",
    "grading",
    "probing",
    "code",
)
LATEST = ("asn", "org", "payment", "client", "net", "system_template")
BITS = 2_048
Event = Any


def mixed(value: int) -> int:
    """splitmix64's finaliser."""
    x = (value + 0x9E3779B97F4A7C15) % 2**64
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
    return x ^ x >> 31


def log2(value: int) -> int:
    """In 1/1024ths."""
    return int(math.log2(1 + value) * 1024)


class PlainAccount:
    """One account; floats only where the row has them, whole numbers everywhere else."""

    def __init__(self) -> None:
        self.sums = dict.fromkeys(SUMS, 0.0)
        self.counts: Counter[str] = Counter()
        self.hours, self.templates = [0.0] * 24, [0.0] * 32
        self.embedding = [0.0] * EMBEDDING
        self.mean = [0] * content.FEATURES
        self.words: set[int] = set()
        self.texts: set[int] = set()
        self.histograms = {name: Counter[int]() for name in ("opening", "lead", "tail")}
        self.contents = {name: ([0] * EMBEDDING, 0) for name in ("one_shot", "wrapped", "harvest")}
        self.registers = {name: [0] * 64 for name in ("texts", "templates", "cells", "conversations")}
        self.latest = dict.fromkeys(LATEST, 0)
        self.before: Event = None
        self.pane = self.block = self.harvest_block = self.last_ts = 0

    def fold(self, pane: int, events: Sequence[Event], horizons: Horizons) -> None:
        """Add a pane's events, in time order."""
        slow = 2.0 ** (-(pane - self.pane) / horizons.slow) if self.pane else 1.0
        self.sums = {name: slow * value for name, value in self.sums.items()}
        for faded in (self.hours, self.templates, self.embedding):
            faded[:] = [slow * value for value in faded]
        self.pane = pane
        for name, value in self._totals(events).items():
            self.sums[name] += value
        self._add_shapes(events)
        marks = list(self._marks(events))
        self._remember(events)
        self._count(events, marks, pane // horizons.block)
        for name in LATEST:
            self.latest[name] = max(int(event[name]) for event in events) or self.latest[name]

    def _totals(self, events: Sequence[Event]) -> Counter[str]:
        totals: Counter[str] = Counter(events=len(events))
        for event in events:
            totals.update({name: int(event[name]) for name in PLAIN})
            totals.update(texts=int(event["has_text"]), follow_ups=int(event["follow_up"]))
            for name, value in (("log_chars", log2(event["chars"])), ("log_output", log2(event["output_tokens"]))):
                totals.update({name: value, f"{name}_squared": value * value})
            totals.update(self._gap(int(event["ts"])))
            self.last_ts = int(event["ts"])
        return totals

    def _gap(self, ts: int) -> dict[str, int]:
        if not self.last_ts:
            return {}
        if ts - self.last_ts >= 1_800_000:
            return {"sessions": 1}
        seconds, log = (ts - self.last_ts) * 1024 // 1000, log2(ts - self.last_ts)
        squares = {"gap_seconds_squared": seconds * seconds, "log_gaps_squared": log * log}
        return {"gaps": 1, "gap_seconds": seconds, "log_gaps": log, **squares}

    def _add_shapes(self, events: Sequence[Event]) -> None:
        for event in events:
            self.hours[event["ts"] // 3_600_000 % 24] += 1
            if event["has_text"]:
                self.templates[mixed(int(event["template"])) % 32] += 1
                self.embedding = [a + int(b) for a, b in zip(self.embedding, event["embedding"], strict=True)]
                self._observe("texts", int(event["text_hash"]))
                self._observe("templates", int(event["template"]))
                for cell in event["cells"].tolist():
                    if cell >= 0:
                        self._observe("cells", cell)
            if event["conversation"]:
                self._observe("conversations", int(event["conversation"]))

    def _observe(self, name: str, value: int) -> None:
        hashed = mixed(value)
        rest = hashed >> 6 | 1 << 57
        registers = self.registers[name]
        registers[hashed % 64] = max(registers[hashed % 64], (rest & -rest).bit_length())

    def _marks(self, events: Sequence[Event]) -> Iterator[set[str]]:
        met: set[int] = set()
        prompts = max(sum(self.histograms["lead"].values()), 10)
        before = self.before
        for event in events:
            words = words_of(event)
            new = [bit for n, bit in enumerate(words) if bit not in {*met, *words[:n]} and bit not in self.words]
            met.update(words)
            most = max(self.histograms[name][mixed(int(event[name])) % 32] for name in ("lead", "tail"))
            yield self._marks_of(event, len(new) / 8 / (1 - len(self.words) / BITS), before, most / prompts >= 0.35)
            before = event

    def _marks_of(self, event: Event, fresh: float, before: Event, templated: bool) -> set[str]:
        text, repeated = event["has_text"], event["has_text"] and set(texts_of(event)) <= self.texts
        first = text and not repeated and not event["tools"]
        alone = event["one_shot"] or (event["formal"] and not same_topic(event, before))
        own = event["impersonal"] and not event["shared"]
        answered = event["answered"] and not event["failed"]
        loose = alone and answered and first and fresh >= 0.3 and own and not templated
        one_shot = event["one_shot"] and first
        at_length = answered and not 0 < event["output_tokens"] < 40
        wrapped = one_shot and at_length and fresh >= 0.4 and own and event["formal"]
        marks = {"repeats": repeated, "informal_harvest": loose, "harvest": loose and event["formal"]}
        return {name for name, yes in {**marks, "one_shot": one_shot, "wrapped": wrapped}.items() if yes}

    def _remember(self, events: Sequence[Event]) -> None:
        some = [event for event in events if event["has_text"]]
        if some:
            self.words = set() if len(self.words) > BITS // 2 else self.words
            self.texts = set() if len(self.texts) > BITS // 2 else self.texts
        for event in some:
            self.words.update(words_of(event))
            self.texts.update(texts_of(event))
            for name, histogram in self.histograms.items():
                histogram[mixed(int(event[name])) % 32] += 1
        self.before = events[-1]

    def _count(self, events: Sequence[Event], marks: list[set[str]], block: int) -> None:
        self.counts.update(name for some in marks for name in some)
        self.counts["shared"] += sum(int(event["shared"]) for event in events)
        self.counts["blocks"] += self.block != block
        self.block = block
        if any("harvest" in some for some in marks):
            self.counts["harvest_blocks"] += self.harvest_block != block
            self.harvest_block = block
        for name, (sums, before) in self.contents.items():
            chosen = [event["embedding"] for event, some in zip(events, marks, strict=True) if name in some]
            total = [a + sum(int(one[i]) for one in chosen) for i, a in enumerate(sums)]
            count = before + len(chosen)
            while count > 256:
                total, count = [value // 2 for value in total], count // 2
            self.contents[name] = (total, count)


def words_of(event: Event) -> list[int]:
    """Bits of a prompt's MinHash values."""
    return [mixed(int(value) + (n << 32)) % BITS for n, value in enumerate(event["minhash"])]


def texts_of(event: Event) -> list[int]:
    """Bits of a text."""
    return [mixed((int(event["text_hash"]) ^ (n << 53)) % 2**64) % BITS for n in (1, 2)]


def same_topic(event: Event, before: Event) -> bool:
    """Whether the conversation goes on as it was."""
    if before is None or before["conversation"] != event["conversation"]:
        return False
    a, b = ([int(x) for x in one["embedding"]] for one in (event, before))
    product = sum(x * y for x, y in zip(a, b, strict=True))
    return product >= 0.35 * max(math.sqrt(sum(x * x for x in a) * sum(y * y for y in b)), 1.0)
