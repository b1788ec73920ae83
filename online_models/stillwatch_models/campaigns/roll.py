"""The roll of campaigns: which accounts belong to which, from when on, and what has been said about them.

A clump of today belongs to the campaign that most of its members are already in; otherwise it founds one, if its pooled
evidence passes the threshold. Accounts that a campaign's clump holds join it, however late: they inherit its evidence.
Nobody is in two campaigns, and membership ends with the campaign or with a verdict, not with a quiet day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from stillwatch_models.campaigns.clumps import Clump
from stillwatch_models.campaigns.evidence import Pooled
from stillwatch_models.incidents import derived_uid

LEAST_KNOWN = 2
"""Members that a clump must share with a campaign to be its clump."""


class Member(msgspec.Struct):
    """One account of a campaign."""

    since_pane: int
    """Last pane of the epoch in which it joined."""
    said_pane: int = 0
    """Pane of the latest message about it."""


class Campaign(msgspec.Struct):
    """One campaign. `name` is what it is called outside; it depends on its founders and on nothing else."""

    name: str
    first_pane: int
    members: dict[str, Member] = {}
    nats: float = 0.0
    """Pooled evidence of its strongest clump, the latest."""
    active_pane: int = 0
    """When a member was last active."""
    said_pane: int = 0
    said_members: int = 0
    said_tier: int = 0
    confirmed: bool = False
    """An analyst said that it is one."""


class Found(msgspec.Struct, frozen=True):
    """A clump and its evidence."""

    clump: Clump
    evidence: Pooled


class Roll:
    """All campaigns."""

    def __init__(self) -> None:
        self.campaigns: dict[str, Campaign] = {}
        self.of_account: dict[str, str] = {}
        self.acquitted: dict[str, int] = {}
        """Accounts that an analyst took out of a campaign, and the pane of the verdict."""

    def enter(self, found: Iterable[Found], threshold: float, pane: int) -> dict[str, list[Found]]:
        """Enter an epoch's clumps, strongest first; returns the clumps of each campaign that has any."""
        current: dict[str, list[Found]] = {}
        for one in sorted(found, key=lambda each: (-each.evidence.total, each.clump.test.name, each.clump.members)):
            campaign = self._campaign_of(one, threshold, pane)
            if campaign is None:
                continue
            for account in one.clump.members:
                self._join(campaign, account, pane)
            seen = current.setdefault(campaign.name, [])
            seen.append(one)
            campaign.nats = seen[0].evidence.total
        return current

    def _campaign_of(self, found: Found, threshold: float, pane: int) -> Campaign | None:
        members = [account for account in found.clump.members if account not in self.acquitted]
        known = Counter(self.of_account[account] for account in members if account in self.of_account)
        if known:
            name = min(known, key=lambda each: (-known[each], self.campaigns[each].first_pane, each))
            if known[name] >= LEAST_KNOWN:
                return self.campaigns[name]
        if found.evidence.total < threshold or not members:
            return None
        name = "campaign-" + derived_uid(pane, *members)[:12]
        return self.campaigns.setdefault(name, Campaign(name=name, first_pane=pane))

    def _join(self, campaign: Campaign, account: str, pane: int) -> None:
        if account not in self.of_account and account not in self.acquitted:
            self.of_account[account] = campaign.name
            campaign.members[account] = Member(since_pane=pane)

    def dissolve(self, name: str) -> Campaign:
        """Forget a campaign and its members."""
        campaign = self.campaigns.pop(name)
        for account in campaign.members:
            del self.of_account[account]
        return campaign

    def acquit(self, name: str, pane: int) -> Campaign:
        """Dissolve a campaign that an analyst called benign; its members are not compared again."""
        campaign = self.dissolve(name)
        self.acquitted.update(dict.fromkeys(campaign.members, pane))
        return campaign

    def acquit_member(self, account: str, pane: int) -> None:
        """Take an account out that an analyst called benign; it is not compared again."""
        name = self.of_account.pop(account, None)
        if name is not None:
            del self.campaigns[name].members[account]
        self.acquitted[account] = pane

    def load(self, campaigns: Mapping[str, Campaign]) -> None:
        """Take over what was dumped."""
        self.campaigns.update(campaigns)
        for name, campaign in campaigns.items():
            self.of_account.update(dict.fromkeys(campaign.members, name))
