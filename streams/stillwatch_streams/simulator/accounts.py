"""The accounts of a scenario: who they are, what they are (the labels), and the calls that each one makes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from stillwatch_streams.simulator.activity import daily, in_shifts, ramping, surging
from stillwatch_streams.simulator.catalogue import UTC_OFFSET_HOURS
from stillwatch_streams.simulator.dice import dice
from stillwatch_streams.simulator.places import Address, AddressBook, weighted
from stillwatch_streams.simulator.profile import Identity, Network, Profile
from stillwatch_streams.simulator.scenario import Campaign, Group, Scenario
from stillwatch_streams.simulator.timing import DAY, HOUR, Activity, Span, Tick, ticks


class Label(NamedTuple):
    """The truth about an account: one row of labels.csv."""

    account_id: str
    label: str
    """`benign` or `distill`."""
    archetype: str
    campaign_id: str
    family: str


class Account(NamedTuple):
    """One account before it has made a call: cheap, so that a scenario can hold many."""

    key: str
    """Names the account's random numbers; holds seed, group and position."""
    group_key: str
    position: int
    member_of: Group | Campaign
    label: Label


class Person(NamedTuple):
    """What stays the same in all calls of an account."""

    account_id: str
    org_id: str
    api_key_id: str
    plan: str
    payment_id: str | None
    created_at: int
    addresses: list[Address]


class Stream(NamedTuple):
    """One kind of calls that an account makes."""

    profile: Profile
    calls: Iterator[Tick]
    is_attack: bool
    prefix: str
    """Opens the event and conversation ids of this stream."""


def accounts(scenario: Scenario, seed: int) -> Iterator[Account]:
    """Every account of the scenario, benign groups first; ids say nothing about the label."""
    for number, group in enumerate(scenario.benign):
        for position in range(group.accounts):
            yield _account(f"{seed}/benign/{number}", position, group, ("benign", group.archetype, "", ""))
    for campaign in scenario.campaigns:
        truth = ("distill", f"attack_{campaign.family}", campaign.id, campaign.family)
        for position in range(campaign.accounts):
            yield _account(f"{seed}/campaign/{campaign.id}", position, campaign, truth)


def books(scenario: Scenario, seed: int) -> dict[str, AddressBook]:
    """The address book of each group, by group key."""
    keys: list[tuple[str, Network]] = [
        (f"{seed}/benign/{n}", group.profile.network) for n, group in enumerate(scenario.benign)
    ]
    keys += [(f"{seed}/campaign/{campaign.id}", campaign.profile.network) for campaign in scenario.campaigns]
    return {key: AddressBook(network, key) for key, network in keys}


def person(account: Account, book: AddressBook, start_ms: int, rng: Random) -> Person:
    """Draw who the account is."""
    identity = account.member_of.profile.identity
    pays = rng.random() < identity.payment_share
    return Person(
        account_id=account.label.account_id,
        org_id="org-" + _shared(account, "org", identity.org_shared_by),
        api_key_id="key-" + digest(f"{account.key}/key", 5),
        plan=weighted(identity.plans, rng),
        payment_id="pay-" + _shared(account, "payment", identity.payment_shared_by) if pays else None,
        created_at=start_ms + _created(identity, account.member_of.start_day, rng),
        addresses=book.addresses(account.position, rng),
    )


def streams(account: Account, who: Person, span: Span, rng: Random) -> list[Stream]:
    """The calls of the account: its own kind, and for a campaign's account the cover it mixes in."""
    member_of, profile = account.member_of, account.member_of.profile
    offset = UTC_OFFSET_HOURS.get(who.addresses[0].country, 0)
    usual = daily(profile.hours, profile.weekend, offset)
    prefix = digest(f"{account.key}/events", 5)
    scale = member_of.activity * rng.lognormvariate(-(profile.activity_sigma**2) / 2, profile.activity_sigma)
    begin = min(span.start_ms + int(member_of.start_day * DAY), span.end_ms)
    if isinstance(member_of, Group):
        busy = surging(usual, member_of.surge, span.start_ms) if member_of.surge else usual
        return [
            Stream(
                profile,
                ticks(profile.timing, scale, busy, Span(begin, span.end_ms), rng),
                is_attack=False,
                prefix=prefix,
            )
        ]
    end = min(span.end_ms, begin + int(member_of.days * DAY)) if member_of.days else span.end_ms
    busy = _campaign_activity(usual, member_of, begin, account.position)
    found = [Stream(profile, ticks(profile.timing, scale, busy, Span(begin, end), rng), is_attack=True, prefix=prefix)]
    if member_of.cover is not None:
        cover = member_of.cover.profile
        own = dice(f"{account.key}/cover")
        scale = member_of.cover.activity * own.lognormvariate(-(cover.activity_sigma**2) / 2, cover.activity_sigma)
        usual = daily(cover.hours, cover.weekend, offset)
        found.append(
            Stream(
                cover,
                ticks(cover.timing, scale, usual, span, own),
                is_attack=False,
                prefix=digest(f"{account.key}/cover", 5),
            )
        )
    return found


def digest(text: str, size: int) -> str:
    """A short stable hexadecimal name; twice `size` digits."""
    return hashlib.blake2b(text.encode(), digest_size=size).hexdigest()


def _account(group_key: str, position: int, member_of: Group | Campaign, truth: tuple[str, str, str, str]) -> Account:
    key = f"{group_key}/{position}"
    return Account(key, group_key, position, member_of, Label("acct-" + digest(key, 6), *truth))


def _shared(account: Account, what: str, shared_by: int) -> str:
    return digest(f"{account.group_key}/{what}/{account.position // shared_by}", 5)


def _created(identity: Identity, start_day: float, rng: Random) -> int:
    """Creation time relative to the scenario's start."""
    if identity.signup_window_hours:
        ended = int((start_day - identity.signup_days_before) * DAY)
        return ended - int(rng.random() * identity.signup_window_hours * HOUR)
    return -int(identity.age_days.median * rng.lognormvariate(0.0, identity.age_days.sigma) * DAY)


def _campaign_activity(usual: Activity, campaign: Campaign, begin: int, position: int) -> Activity:
    if campaign.ramp is not None:
        usual = ramping(usual, campaign.ramp, begin)
    if campaign.handover is not None:
        usual = in_shifts(usual, campaign.handover, begin, position, campaign.accounts)
    return usual
