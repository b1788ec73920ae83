"""A scenario's events in time order: one lazy generator per account, merged by a heap.

So memory grows with the number of accounts and not with the number of events.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import NamedTuple

from stillwatch_schemas.events import RequestEvent

from stillwatch_streams.simulator import accounts as people
from stillwatch_streams.simulator.accounts import Account, Label
from stillwatch_streams.simulator.dice import dice
from stillwatch_streams.simulator.exchange import Prompts, exchanges
from stillwatch_streams.simulator.grammar import Grammar, with_additions
from stillwatch_streams.simulator.models import ModelMix
from stillwatch_streams.simulator.places import AddressBook
from stillwatch_streams.simulator.scenario import Campaign, Scenario
from stillwatch_streams.simulator.timing import DAY, Span


class LabelledEvent(NamedTuple):
    """An event and the truth about it."""

    event: RequestEvent
    is_attack: bool
    campaign_id: str | None
    """The campaign that the exchange belongs to; None for benign ones, also those of attack accounts' cover."""


def generate(scenario: Scenario, seed: int, start_ms: int) -> Iterator[LabelledEvent]:
    """All events of the scenario, sorted by `ts`; day 0 begins at `start_ms`. Equal arguments give equal events."""
    span = Span(start_ms, start_ms + int(scenario.days * DAY))
    grammar = with_additions(scenario.grammar)
    books = people.books(scenario, seed)
    heap: list[tuple[int, int, LabelledEvent, Iterator[LabelledEvent]]] = []
    for number, account in enumerate(people.accounts(scenario, seed)):
        events = _events(scenario, account, books[account.group_key], grammar, span)
        first = next(events, None)
        if first is not None:
            heap.append((first.event.ts, number, first, events))
    heapq.heapify(heap)
    while heap:
        _, number, labelled, events = heap[0]
        yield labelled
        following = next(events, None)
        if following is None:
            heapq.heappop(heap)
        else:
            heapq.heapreplace(heap, (following.event.ts, number, following, events))


def labels(scenario: Scenario, seed: int) -> list[Label]:
    """The truth about every account, in the order of the scenario; some may not make a single call."""
    return [account.label for account in people.accounts(scenario, seed)]


def _events(
    scenario: Scenario, account: Account, book: AddressBook, grammar: Grammar, span: Span
) -> Iterator[LabelledEvent]:
    """One account's events: its streams, merged."""
    rng = dice(account.key)
    who = people.person(account, book, span.start_ms, rng)
    member_of = account.member_of
    campaign = member_of if isinstance(member_of, Campaign) else None
    merged = []
    for stream in people.streams(account, who, span, rng):
        own = dice(f"{account.key}/{stream.prefix}")
        prompts = Prompts(stream.profile.texts, grammar, account.group_key, account.position, own)
        attacking = campaign if stream.is_attack else None
        mix = ModelMix(scenario, stream.profile, attacking.pivot if attacking else None, span.start_ms, own)
        events = exchanges(who, stream, prompts, mix, rng=own, teachers=attacking.teachers if attacking else 1)
        merged.append(_labelled(events, attacking.id if attacking else None))
    return merged[0] if len(merged) == 1 else heapq.merge(*merged, key=lambda labelled: labelled.event.ts)


def _labelled(events: Iterator[RequestEvent], campaign_id: str | None) -> Iterator[LabelledEvent]:
    is_attack = campaign_id is not None
    for event in events:
        yield LabelledEvent(event, is_attack, campaign_id)
