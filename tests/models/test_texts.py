"""Who sent a text first: bounded, the same after a dump, and never taken back from a row that did not count it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stillwatch_models import columns
from stillwatch_models.columns import Events
from stillwatch_models.engine import AccountEngine
from stillwatch_models.harvest import LOOSE, STRICT
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
    assert len(texts._where) == PAGE


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


@given(
    asked=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1_100)), min_size=1, max_size=60),
    split=st.integers(1, 20),
)
@settings(max_examples=60, deadline=None)
def test_taking_in_many_at_once_is_taking_in_one_by_one(asked: list[tuple[int, int]], split: int) -> None:
    """Also while the ring is written over: it holds 1,024 texts, of which 1,000 are there already."""
    before = [(9, text) for text in range(1_000)]
    found = []
    for size in (len(asked), split):
        texts, told = TextMemory(PAGE), []
        parts = [before, *(asked[at : at + size] for at in range(0, len(asked), size))]
        for events in (sent(*part) for part in parts):
            first_at, exposures = texts.look_up(events, KEYS)
            told.extend(zip(first_at.tolist(), events["shared"].tolist(), strict=True))
            told.extend(sorted((-2, exposure.position) for exposure in exposures))
        found.append((sorted(told), list(texts.dump()), texts.written))
    assert found[0] == found[1]
