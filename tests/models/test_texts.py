"""Who sent a text first: bounded, the same after a dump, and never taken back from a row that did not count it."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stillwatch_models import columns
from stillwatch_models.columns import Events
from stillwatch_models.engine import AccountEngine
from stillwatch_models.harvest import LOOSE, STRICT
from stillwatch_models.text_index import EMPTY
from stillwatch_models.texts import PAGE, TextMemory
from stillwatch_schemas.events import RequestEvent, Sketch
from support.builders import T0, make_event
from support.traffic import run, small_config

KEYS = np.arange(100, 120, dtype=np.uint64)
"""Keys of the accounts in slots 0 to 19."""


def sent(*who: tuple[int, int], pane: int = 0) -> Events:
    """Events of (slot, text)."""
    events = np.zeros(len(who), columns.EVENT)
    events["row"], events["text_hash"] = np.array(who).T
    events["has_text"], events["pane"] = 1, pane
    return events


def test_the_first_sender_is_remembered() -> None:
    texts = TextMemory(PAGE)
    events = sent((0, 7), (1, 7), (0, 7), (2, 8))
    first_at, exposures = texts.look_up(events, KEYS)
    assert events["shared"].tolist() == [0, 1, 0, 0]
    assert first_at.tolist() == [0, -1, -1, 1]
    assert [(e.slot, e.owner) for e in exposures] == [(0, 100)]


def test_a_text_is_taken_back_once() -> None:
    texts = TextMemory(PAGE)
    first_at, _ = texts.look_up(sent((0, 7)), KEYS)
    texts.note_harvest(first_at, np.array([STRICT | LOOSE], np.uint8))
    (exposure,) = texts.look_up(sent((1, 7)), KEYS)[1]
    assert texts.counted(exposure) == (1, 1)
    assert texts.look_up(sent((2, 7)), KEYS)[1] == []


def test_a_text_sent_again_to_another_model_is_a_requery() -> None:
    texts, events = TextMemory(PAGE), sent((0, 7), (0, 7), (0, 7), (1, 7))
    events["model"] = [5, 5, 6, 6]
    texts.look_up(events, KEYS)
    assert events["requeried"].tolist() == [0, 0, 1, 0]  # the last is another account's


def test_events_without_text_share_nothing() -> None:
    texts, events = TextMemory(PAGE), sent((0, 0), (1, 0))
    events["has_text"] = 0
    assert texts.look_up(events, KEYS)[0].tolist() == [-1, -1]
    assert texts.written == 0


def test_the_memory_is_a_ring() -> None:
    texts = TextMemory(PAGE)
    texts.look_up(sent(*((0, 1 + n) for n in range(PAGE + 5))), KEYS)
    events = sent((1, 6), (1, 5))
    texts.look_up(events, KEYS)
    assert events["shared"].tolist() == [1, 0]  # the first five were forgotten
    assert np.count_nonzero(texts._index != EMPTY) == PAGE


def test_what_is_overwritten_in_the_same_segment_still_counts() -> None:
    """Otherwise it would matter how the panes were cut into segments."""
    texts = TextMemory(PAGE)
    first_at, _ = texts.look_up(sent((0, 1)), KEYS)
    texts.note_harvest(first_at, np.array([STRICT | LOOSE], np.uint8))
    _, (exposure,) = texts.look_up(sent((1, 1), *((2, 10 + n) for n in range(PAGE))), KEYS)
    assert (exposure.owner, texts.counted(exposure)) == (100, (1, 1))


@pytest.mark.parametrize("before", [3, PAGE + 3])
def test_a_dump_is_taken_over(before: int) -> None:
    texts, other = TextMemory(2 * PAGE), TextMemory(2 * PAGE)
    first_at, _ = texts.look_up(sent(*((n % 20, 1 + n) for n in range(before))), KEYS)
    texts.note_harvest(first_at, np.full(before, STRICT | LOOSE, np.uint8))
    other.load(iter(list(texts.dump())), texts.written, lambda keys: keys.astype(np.int64) - 100)
    later = [sent((19, 1), (0, 2), (5, 9_999)) for _ in range(2)]
    answers = [memory.look_up(events, KEYS) for memory, events in zip((texts, other), later, strict=True)]
    assert answers[0][0].tolist() == answers[1][0].tolist()
    assert answers[0][1] == answers[1][1]
    assert dict(texts.dump()) == dict(other.dump())


def test_changed_pages_add_up_to_the_dump() -> None:
    texts, pages = TextMemory(2 * PAGE), {}
    for part in range(5):
        texts.look_up(sent(*((part, 1 + part * 300 + n) for n in range(400))), KEYS)
        pages.update(texts.take_dirty())
    assert pages == dict(texts.dump())


def task(number: int, account: str, at: float) -> RequestEvent:
    sketch = Sketch(
        text_hash=1 + number,
        lead=1 + number,
        tail=1 + number,
        style=1,
        minhash=tuple(range(number * 16, number * 16 + 16)),
    )
    return make_event(
        event_id=f"{account}-{number}", account_id=account, ts=T0 + int(1000 * at), prompt=None, sketch=sketch, turn=0
    )


def steady(first: int, last: int) -> Sequence[RequestEvent]:
    return [
        make_event(event_id=f"s{n}", account_id="stayer", ts=T0 + 1000 * n, prompt=None) for n in range(first, last)
    ]


def test_a_forgotten_account_that_returns_loses_nothing_and_a_crash_changes_nothing() -> None:
    """Its old text is exposed after its row was forgotten; the new row never counted that text."""
    config = small_config(idle_evict_seconds=30.0, reference_seconds=20.0)
    newcomer = make_event(event_id="n", account_id="newcomer", ts=T0 + 99_500, prompt=None)  # takes the free slot
    before = [task(1, "a", 0), *steady(1, 100), newcomer, task(2, "a", 100), *steady(101, 120)]
    items = [*before, task(1, "b", 120), *steady(121, 140)]
    clean, first, survivor = (AccountEngine(config, 0) for _ in range(3))
    run(clean, items, itertools.repeat(5))
    run(first, before, itertools.repeat(5))
    run(survivor, items, itertools.repeat(5), start=survivor.restore(first.snapshot()))
    for engine in (clean, survivor):
        assert engine.counters["evicted_idle"] == 1
        assert engine.table.rows["harvest"][engine.table.slots(["a"])[0]] == 1
    assert survivor.snapshot() == clean.snapshot()


class Plainly:
    """What the memory is to say, one text at a time and with Python's own dictionary."""

    def __init__(self) -> None:
        self.ring: dict[int, tuple[int, int]] = {}
        self.taken_back: set[int] = set()
        self.written = 0

    def look_up(self, who: Sequence[tuple[int, int]]) -> list[tuple[int, bool, bool]]:
        return [self._one(*one) for one in who]

    def _one(self, slot: int, text: int) -> tuple[int, bool, bool]:
        """Where it was written (-1: it was known), whether somebody else was first, and whether that exposes them."""
        position, owner = self.ring.get(text, (-1, -1))
        if position < 0:
            position = self.written % PAGE
            self.ring = {known: at for known, at in self.ring.items() if at[0] != position}
            self.taken_back.discard(position)
            self.ring[text] = (position, slot)
            self.written += 1
            return position, False, False
        exposed = owner != slot and position not in self.taken_back
        if exposed:
            self.taken_back.add(position)
        return -1, owner != slot, exposed


@given(
    asked=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3_000)), min_size=1, max_size=300),
    split=st.integers(1, 60),
)
@settings(max_examples=60, deadline=None)
def test_it_says_what_a_dictionary_would_say(asked: list[tuple[int, int]], split: int) -> None:
    """Also while the ring is written over: it is all but full before. Many share a place."""
    hashes = [random.Random(text).getrandbits(52) for text in range(3_001)]
    texts, plainly, pages = TextMemory(PAGE), Plainly(), {}
    asked = [(9, text) for text in range(PAGE - 5)] + asked

    def compare(who: Sequence[tuple[int, int]]) -> None:
        wanted = plainly.look_up(who)
        events = sent(*((slot, hashes[text]) for slot, text in who))
        first_at, exposures = texts.look_up(events, KEYS)
        shared = events["shared"].astype(bool).tolist()
        assert list(zip(first_at.tolist(), shared, strict=True)) == [one[:2] for one in wanted]
        assert len(exposures) == sum(one[2] for one in wanted)
        pages.update(texts.take_dirty())

    for at in range(0, len(asked), split):
        compare(asked[at : at + split])
    compare([(19, text) for text in plainly.ring])  # it has lost none
    assert texts.written == plainly.written
    assert pages == dict(texts.dump())
