"""Spans: what waits is the same whether it came in one piece, was split off, or was put down and picked up."""

from __future__ import annotations

import random

import numpy as np
import pytest
from stillwatch_models.open_panes import EventIds
from stillwatch_models.spans import PAGE, SEEN, Seen, Span

ACCOUNTS = 40


def seen(count: int) -> tuple[Seen, list[str]]:
    """Events with their senders."""
    rng = random.Random(2)
    events = np.zeros(count, SEEN)
    events["pane"] = np.arange(count) // 10
    events["asn"] = [rng.randrange(5) for _ in range(count)]
    return events, [f"a{rng.randrange(ACCOUNTS)}" for _ in range(count)]


def span(start: int, end: int, count: int) -> Span:
    """A span of only those of the events."""
    events, senders = seen(count)
    made = Span()
    ids, offsets = EventIds(np.arange(count), [f"e{i}" for i in range(count)]), np.arange(start, end)
    made.add(events[start:end].copy(), np.arange(end - start), senders[start:end], ids, offsets)
    return made


@pytest.mark.parametrize("at", [0, 1, 700, 1_999, 2_000])
def test_the_parts_of_a_span_are_as_if_each_had_come_alone(at: int) -> None:
    over, rest = span(0, 2_000, 2_000).split(at)
    assert list(over.pages(0)) == list(span(0, at, 2_000).pages(0))
    assert list(rest.pages(0)) == list(span(at, 2_000, 2_000).pages(0))


def test_pages_add_up_to_the_span_and_later_ones_go_on_from_earlier_ones() -> None:
    whole = span(0, 3 * PAGE + 7, 3 * PAGE + 7)
    picked_up = Span()
    for _, row in whole.pages(0):
        picked_up.load(row)
    assert list(picked_up.pages(0)) == list(whole.pages(0))
    assert picked_up.accounts == whole.accounts
    assert [page for page, _ in whole.pages(PAGE + 1)] == [1, 2, 3]


def test_an_account_of_several_panes_is_fresh_once() -> None:
    one = span(0, 300, 300)
    assert one.fresh_accounts() == 0
    one.events()["fresh"] = True
    assert one.fresh_accounts() == len(one.accounts)
