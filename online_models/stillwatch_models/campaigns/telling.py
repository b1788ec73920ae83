"""Telling: what is said of campaigns and their members at an epoch's end, and what a verdict changes.

A campaign is told when it is new, when it has grown by a quarter or reached a higher tier, and again from time to time
while it is active; a member when it joins, and from time to time. A campaign of which nothing is heard for long ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from stillwatch_schemas.findings import Activity, Evidence, Finding
from stillwatch_schemas.verdicts import Verdict

from stillwatch_models.campaigns.infrastructure import Everybody
from stillwatch_models.campaigns.report import Frame, Picture, campaign_finding, member_finding
from stillwatch_models.campaigns.roll import Campaign, Found
from stillwatch_models.campaigns.state import CampaignState
from stillwatch_models.config import EngineConfig
from stillwatch_models.verdict_evidence import verdict_evidence

MORE_MEMBERS = 1.25
"""Growth of a campaign that is worth a message."""


class Teller:
    """Says what is new, and notes in the state that it was said."""

    def __init__(self, config: EngineConfig, state: CampaignState, *, epoch_panes: int) -> None:
        self._state = state
        self._epoch_panes = epoch_panes
        self._refresh_panes = max(1, round(config.refresh_seconds / config.pane_seconds))
        self._idle_panes = max(1, round(config.campaign_idle_seconds / config.pane_seconds))

    def news(self, current: Mapping[str, Sequence[Found]], everybody: Everybody, frame: Frame) -> Iterator[Finding]:
        """What is new of every campaign; `current` has the clumps that this epoch found of each."""
        campaigns = self._state.roll.campaigns
        for name in sorted(campaigns):
            yield from self._news_of(self._picture(campaigns[name], current.get(name, []), everybody), frame)

    def judge(self, verdict: Verdict, frame: Frame) -> Iterator[Finding]:
        """A benign verdict ends a campaign and lets its members go; a confirmation makes it critical."""
        if verdict.subject_kind == "account":
            yield from self._judge_member(verdict, frame)
            return
        campaign = self._state.roll.campaigns.get(verdict.subject)
        if campaign is None:
            return
        if verdict.label == "benign":
            picture = self._picture(campaign)
            self._state.roll.acquit(campaign.name, frame.pane)
            yield from self._end(picture, frame, verdict_evidence(verdict))
        elif verdict.label == "distillation":
            campaign.confirmed = True
            self._state.dirty_campaigns.add(campaign.name)

    def _judge_member(self, verdict: Verdict, frame: Frame) -> Iterator[Finding]:
        """A benign verdict lets one account go for good, a confirmation lets it be compared again."""
        account, roll = verdict.subject, self._state.roll
        if verdict.label == "distillation":
            roll.acquitted.pop(account, None)
        if verdict.label != "benign":
            return
        campaign, note = roll.campaigns.get(roll.of_account.get(account, "")), verdict_evidence(verdict)
        if campaign is not None:
            yield member_finding(self._picture(campaign), account, frame, "close", note)
            self._state.dirty_campaigns.add(campaign.name)
        roll.acquit_member(account, frame.pane)
        if campaign is not None and not campaign.members:
            roll.dissolve(campaign.name)
            yield from self._end(self._picture(campaign), frame, note)

    def _news_of(self, picture: Picture, frame: Frame) -> Iterator[Finding]:
        campaign = picture.campaign
        latest = max((profile.pane for profile in picture.profiles.values()), default=0)
        campaign.active_pane = max(campaign.active_pane, latest)
        if frame.pane - campaign.active_pane > self._idle_panes:
            self._state.roll.dissolve(campaign.name)
            yield from self._end(picture, frame)
            return
        activity = self._activity(picture, frame)
        if activity is not None:
            campaign.said_pane, campaign.said_members = frame.pane, len(campaign.members)
            campaign.said_tier = picture.tier(frame.threshold)
            self._state.dirty_campaigns.add(campaign.name)
            yield campaign_finding(picture, frame, activity)
        for account in sorted(campaign.members):
            yield from self._news_of_member(picture, account, frame)

    def _activity(self, picture: Picture, frame: Frame) -> Activity | None:
        campaign = picture.campaign
        if not campaign.said_pane:
            return "create"
        grown = len(campaign.members) >= MORE_MEMBERS * campaign.said_members
        raised = picture.tier(frame.threshold) > campaign.said_tier
        active = campaign.active_pane > frame.pane - self._epoch_panes
        stale = active and frame.pane - campaign.said_pane >= self._refresh_panes
        return "update" if grown or raised or stale else None

    def _news_of_member(self, picture: Picture, account: str, frame: Frame) -> Iterator[Finding]:
        member = picture.campaign.members[account]
        profile = picture.profiles.get(account)
        active = profile is not None and profile.pane > frame.pane - self._epoch_panes
        new = not member.said_pane
        if new or (active and frame.pane - member.said_pane >= self._refresh_panes):
            member.said_pane = frame.pane
            self._state.dirty_campaigns.add(picture.campaign.name)
            yield member_finding(picture, account, frame, "create" if new else "update")

    def _end(self, picture: Picture, frame: Frame, note: Evidence | None = None) -> Iterator[Finding]:
        """Close the incidents of a campaign that is off the roll, and its members'."""
        self._state.dirty_campaigns.add(picture.campaign.name)
        yield campaign_finding(picture, frame, "close", note)
        for account in sorted(picture.campaign.members):
            yield member_finding(picture, account, frame, "close", note)

    def _picture(self, campaign: Campaign, found: Sequence[Found] = (), everybody: Everybody | None = None) -> Picture:
        known = self._state.known
        profiles = {account: known[account].profile for account in sorted(campaign.members) if account in known}
        return Picture(campaign=campaign, found=found, profiles=profiles, everybody=everybody)
