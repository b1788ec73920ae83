"""Findings about campaigns and about their members: what is said, in figures and in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from stillwatch_schemas.findings import Activity, Evidence, Finding, Ruling, SubjectKind
from stillwatch_schemas.signals import Profile

from stillwatch_models.campaigns.content_tests import pace
from stillwatch_models.campaigns.infrastructure import Common, Everybody
from stillwatch_models.campaigns.roll import Campaign, Found
from stillwatch_models.evidence import STRICT_BOUNDS
from stillwatch_models.incidents import CAMPAIGN, CAMPAIGN_MEMBER, TIERS, Header, finding, tier_position

EXAMPLES = 5
REASONS = 3
HIGHEST_BY_ASSOCIATION = 2
"""Nobody is called critical for the company he keeps: position of `high` in TIERS."""


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """What every message of an epoch has in common."""

    pane: int
    pane_ms: int
    config_hash: str
    threshold: float
    shard: int
    shard_accounts: int
    horizon: str

    def header(self, activity: Activity, subject_kind: SubjectKind, subject: str, kind: str, first_pane: int) -> Header:
        """What identifies a message of this epoch."""
        return Header(
            subject_kind=subject_kind,
            subject=subject,
            kind=kind,
            first_pane=first_pane,
            activity=activity,
            pane=self.pane,
            pane_ms=self.pane_ms,
            config_hash=self.config_hash,
        )


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign as it is seen now."""

    campaign: Campaign
    found: Sequence[Found]
    """Its clumps, strongest first; empty when there is none in this epoch."""
    profiles: Mapping[str, Profile]
    """Of its members, as far as they are known."""
    everybody: Everybody | None = None
    """Against whom it is rare what members have in common; None where that is not asked."""

    def tier(self, threshold: float) -> int:
        """1-based position in TIERS."""
        return len(TIERS) if self.campaign.confirmed else max(1, tier_position(self.campaign.nats / threshold))


def campaign_finding(picture: Picture, frame: Frame, activity: Activity, note: Evidence | None = None) -> Finding:
    """One message about a campaign: its members, what joins them, and what has leaked so far."""
    campaign, profiles = picture.campaign, list(picture.profiles.values())
    return finding(
        _campaign_header(campaign, activity, frame),
        tier=picture.tier(frame.threshold),
        evidence_nats=campaign.nats,
        threshold=frame.threshold,
        evidence=[note] if note else campaign_reasons(picture, frame),
        exchanges=sum(profile.events for profile in profiles),
        members=tuple(sorted(campaign.members)),
        members_total=len(campaign.members),
        campaign_uid=campaign_uid(campaign, frame),
        **_first_seen(profiles),
        shard=frame.shard,
        shard_accounts=frame.shard_accounts,
        ruling=_ruling(campaign, activity, note),
    )


def member_finding(
    picture: Picture, account: str, frame: Frame, activity: Activity, note: Evidence | None = None
) -> Finding:
    """One message about a member, who inherits the campaign's evidence."""
    campaign, profile = picture.campaign, picture.profiles.get(account)
    tier = picture.tier(frame.threshold)
    return finding(
        frame.header(activity, "account", account, CAMPAIGN_MEMBER, campaign.members[account].since_pane),
        tier=tier if campaign.confirmed else min(tier, HIGHEST_BY_ASSOCIATION),
        evidence_nats=campaign.nats,
        threshold=frame.threshold,
        evidence=[note] if note else member_reasons(picture, account, frame),
        exchanges=profile.events if profile else 0,
        asn=(profile.asn or None) if profile else None,
        **_first_seen([profile] if profile else []),
        campaign_uid=campaign_uid(campaign, frame),
        shard=profile.source if profile else frame.shard,
        shard_accounts=frame.shard_accounts,
        ruling=_ruling(campaign, activity, note),
    )


def _ruling(campaign: Campaign, activity: Activity, note: Evidence | None) -> Ruling | None:
    """What an analyst made of it."""
    if activity == "close":
        return "rejected" if note else None
    return "confirmed" if campaign.confirmed else None


def _first_seen(profiles: Sequence[Profile]) -> dict[str, object]:
    return {"first_seen_ms": min(profile.first_seen_ms for profile in profiles)} if profiles else {}


def campaign_uid(campaign: Campaign, frame: Frame) -> str:
    """Id of the campaign's incident, by which all messages about it and its members belong together."""
    return _campaign_header(campaign, "create", frame).uid


def _campaign_header(campaign: Campaign, activity: Activity, frame: Frame) -> Header:
    return frame.header(activity, "campaign", campaign.name, CAMPAIGN, campaign.first_pane)


# -- reasons ---------------------------------------------------------------------------------------------------------


def campaign_reasons(picture: Picture, frame: Frame) -> list[Evidence]:
    """Three reasons, the strongest first: like content, the members' own evidence, and what else they share."""
    if not picture.found:
        return [_belongs(picture, frame)]
    reasons = [_like_content(picture.found[0], picture, frame), _own_evidence(picture, frame)]
    common = picture.everybody.in_common(list(picture.profiles.values())) if picture.everybody else None
    if common is not None:
        reasons.append(_in_common(common, picture, frame))
    return sorted(reasons, key=lambda reason: -reason.weight)


def member_reasons(picture: Picture, account: str, frame: Frame) -> list[Evidence]:
    """Why an account is in its campaign."""
    mine = [found for found in picture.found if account in found.clump.members]
    reasons = [_neighbours(found, picture, account, frame) for found in mine]
    profile = picture.profiles.get(account)
    if profile is not None and profile.nats > 0:
        reasons.append(_own_harvest(profile, frame))
    return reasons[:REASONS] or [_belongs(picture, frame)]


def _like_content(found: Found, picture: Picture, frame: Frame) -> Evidence:
    clump, nats = found.clump, found.evidence.total - found.evidence.own
    paces = [2 ** pace(picture.profiles[account]) for account in clump.members if account in picture.profiles]
    low, high = (min(paces), max(paces)) if paces else (0.0, 0.0)
    statement = (
        f"{len(clump.members)} accounts of different organisations ask about the same narrow content in their"
        f" {clump.test.words}: cosine {clump.cosine:.2f}, {clump.usual_cosine:.2f} to the others of"
        f" {clump.candidates} compared; at {low:.1f} to {high:.1f} requests an active hour each"
    )
    return _reason(
        frame,
        clump.test.name,
        statement,
        nats,
        observed=clump.cosine,
        baseline=clump.usual_cosine,
        unit="cosine",
        event_ids=_examples(picture, clump.members),
    )


def _own_evidence(picture: Picture, frame: Frame) -> Evidence:
    strongest = picture.found[0]
    members = strongest.clump.members
    harvest = sum(picture.profiles[account].harvest for account in members if account in picture.profiles)
    answers = sum(picture.profiles[account].answers for account in members if account in picture.profiles)
    share = harvest / max(1, answers)
    statement = (
        f"read as one account, {harvest} of their {answers} answered requests ({share:.0%}) look like items of a data"
        " set: they stand alone, are new, follow no template and are worded like tasks"
    )
    return _reason(
        frame,
        "harvest",
        statement,
        strongest.evidence.own,
        observed=share,
        baseline=STRICT_BOUNDS[0],
        unit="share of requests",
        event_ids=_examples(picture, members),
    )


def _in_common(common: Common, picture: Picture, frame: Frame) -> Evidence:
    members = len(picture.campaign.members)
    statement = (
        f"{common.members} of {members} members {common.words}; {common.holders - common.members} other accounts do"
    )
    return _reason(
        frame,
        "shared_infrastructure",
        statement,
        common.nats,
        observed=common.members,
        baseline=common.holders - common.members,
        unit="accounts",
    )


def _neighbours(found: Found, picture: Picture, account: str, frame: Frame) -> Evidence:
    clump = found.clump
    at = clump.members.index(account)
    mean = clump.directions.sum(axis=0) - clump.directions[at]
    cosine = float(clump.directions[at] @ mean / max(float(np.linalg.norm(mean)), 1e-9))
    statement = (
        f"its {clump.test.words} are about what {len(clump.members) - 1} other accounts of {picture.campaign.name} ask"
        f" about: cosine {cosine:.2f} to their mean, {clump.neighbours[at]} of them are close neighbours"
    )
    return _reason(
        frame,
        clump.test.name,
        statement,
        found.evidence.total,
        observed=cosine,
        baseline=clump.usual_cosine,
        unit="cosine",
        event_ids=_examples(picture, (account,)),
    )


def _own_harvest(profile: Profile, frame: Frame) -> Evidence:
    share = profile.harvest / max(1, profile.answers)
    statement = f"{profile.harvest} of its own {profile.answers} answered requests ({share:.0%}) look like a data set"
    return _reason(
        frame,
        "harvest",
        statement,
        profile.nats,
        observed=share,
        baseline=STRICT_BOUNDS[0],
        unit="share of requests",
        event_ids=profile.event_ids,
    )


def _belongs(picture: Picture, frame: Frame) -> Evidence:
    statement = f"{picture.campaign.name} was found before, and accounts of it are active again"
    return _reason(
        frame,
        "campaign",
        statement,
        picture.campaign.nats,
        observed=float(len(picture.campaign.members)),
        baseline=0.0,
        unit="accounts",
    )


def _examples(picture: Picture, accounts: Sequence[str]) -> tuple[str, ...]:
    """Up to five events, of as many accounts as possible."""
    known = [picture.profiles[account] for account in accounts if account in picture.profiles]
    firsts = [profile.event_ids[0] for profile in known if profile.event_ids]
    others = [event for profile in known for event in profile.event_ids[1:]]
    return tuple([*firsts, *others][:EXAMPLES])


def _reason(
    frame: Frame,
    signal: str,
    statement: str,
    nats: float,
    *,
    observed: float,
    baseline: float,
    unit: str,
    event_ids: tuple[str, ...] = (),
) -> Evidence:
    p_value = math.exp(-min(max(nats, 0.0), 700.0))
    return Evidence(
        signal=signal,
        statement=statement,
        observed=float(observed),
        baseline=float(baseline),
        percentile=100.0 * (1.0 - p_value),
        unit=unit,
        horizon=frame.horizon,
        p_value=p_value,
        weight=nats,
        event_ids=event_ids,
    )
