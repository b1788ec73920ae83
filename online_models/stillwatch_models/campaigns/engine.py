"""The campaign engine: profiles of all account shards in, campaigns and their members out.

Works an epoch at a time, when every account shard has closed it; so the result does not depend on how the shards'
messages interleave. Messages of an epoch that is not closed yet wait, and are read again after a restart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.findings import Activity, Evidence
from stillwatch_schemas.signals import CampaignVerdict, EpochClosed, Profile, ProfileSignal, Samples
from stillwatch_schemas.verdicts import Verdict

from stillwatch_models import evidence
from stillwatch_models.accounts import AccountRow
from stillwatch_models.campaigns import known as knowledge
from stillwatch_models.campaigns.clumps import clumps
from stillwatch_models.campaigns.evidence import pooled
from stillwatch_models.campaigns.infrastructure import Everybody
from stillwatch_models.campaigns.known import EMPTY, SHINGLES_KEPT, TEXTS_KEPT, KnownAccount, add_sample
from stillwatch_models.campaigns.report import Frame, Picture, campaign_finding, campaign_uid, member_finding
from stillwatch_models.campaigns.roll import Campaign, Found, Roll
from stillwatch_models.columns import EMBEDDING
from stillwatch_models.config import EngineConfig
from stillwatch_models.features import FULL_EMBEDDING
from stillwatch_models.panes import UNSEEN
from stillwatch_models.shard import Batch, Checkpoint, Outputs
from stillwatch_models.switches import campaign_tests

ACCOUNT_ROW, CAMPAIGN_ROW, CLOCK_ROW = b"a:", b"c:", b"m:clock"
RANK_OF_NEIGHBOUR, MOST_NEIGHBOURS = 2.0, 10
"""What close neighbours add to the rank of a campaign's member."""
MORE_MEMBERS = 1.25
"""Growth of a campaign that is worth a message."""


class Source(msgspec.Struct):
    """What one account shard said last about its ordinary traffic."""

    epoch: int
    known_accounts: int = 0
    accounts: int = 0
    content: tuple[float, ...] = ()


class CampaignClock(msgspec.Struct):
    """The small part of the state."""

    next_offset: int
    closed_epoch: int
    sources: dict[int, Source]
    """No further than the closed epoch: what waits is heard again after a restart."""
    acquitted: dict[str, int]
    standing: dict[str, int]
    """Close neighbours of each account in a clump of the latest epoch."""
    measures: dict[str, float] = {}


class CampaignEngine:
    """The one shard that sees all profiles. Items: `Profile`, `Samples`, `EpochClosed` or `CampaignVerdict`."""

    def __init__(self, config: EngineConfig, partition: int, sources: int) -> None:
        self.config = config
        self.partition = partition
        self.roll = Roll()
        self.known: dict[str, KnownAccount] = {}
        self.threshold = evidence.threshold(config.budget_per_10k_account_days)
        self.pane_ms = round(config.pane_seconds * 1000)
        self._block_ms = round(config.evidence_block_seconds * 1000)
        self._epoch_panes = max(1, round(config.reference_seconds / config.pane_seconds))
        self._refresh_panes = max(1, round(config.refresh_seconds / config.pane_seconds))
        self._idle_panes = max(1, round(config.campaign_idle_seconds / config.pane_seconds))
        self._rejected_panes = max(1, round(config.rejected_seconds / config.pane_seconds))
        self._hash = config.hash()
        self._tests = campaign_tests(config)
        self._sources = {source: Source(UNSEEN) for source in range(sources)}
        self._waiting: list[tuple[int, int, ProfileSignal]] = []
        """Epoch, offset and item of what came for epochs that are open, in order of offset."""
        self._standing: dict[str, int] = {}
        self._closed_epoch = UNSEEN
        self._next_offset = 0
        self._checkpointed = -1
        self._dirty_accounts: set[str] = set()
        self._dirty_campaigns: set[str] = set()
        self._changed = False

    # -- the stream ----------------------------------------------------------------------------------------------

    def process(self, batch: Batch[ProfileSignal]) -> Outputs:
        """Take messages; epochs that every source has closed are looked at."""
        out = Outputs()
        for item, offset in zip(batch.items, batch.offsets, strict=True):
            # What comes late, or again after a restart, counts in the next epoch: taking it twice changes nothing.
            self._waiting.append((max(self._epoch_of(item), self._closed_epoch + 1), offset, item))
            if isinstance(item, EpochClosed):
                self._heard(item)
                self._close(self._common_epoch(), out)
        self._next_offset = max(self._next_offset, batch.next_offset)
        return out

    def finish(self) -> Outputs:
        """Close every epoch that has messages: the end of a finite input."""
        out = Outputs()
        self._close(max((epoch for epoch, _, _ in self._waiting), default=self._closed_epoch), out)
        return out

    def expire(self, now_ms: int) -> Outputs:  # noqa: ARG002 - part of the shard protocol; campaigns age by event time
        """Nothing here runs out by the clock."""
        return Outputs()

    def _epoch_of(self, item: ProfileSignal) -> int:
        return item.epoch if isinstance(item, EpochClosed) else item.pane // self._epoch_panes

    def _heard(self, closed: EpochClosed) -> None:
        source = self._sources.setdefault(closed.source, Source(UNSEEN))
        source.epoch = max(source.epoch, closed.epoch)

    def _common_epoch(self) -> int:
        """The latest epoch that every source has closed; one that is far behind or silent is not waited for."""
        epochs = [source.epoch for source in self._sources.values()]
        return max(min(epochs), max(epochs) - self.config.campaign_patience_epochs)

    # -- an epoch's end ------------------------------------------------------------------------------------------

    def _close(self, last_epoch: int, out: Outputs) -> None:
        for epoch in sorted({epoch for epoch, _, _ in self._waiting if epoch <= last_epoch}):
            mine = [item for waits_for, _, item in self._waiting if waits_for == epoch]
            self._waiting = [w for w in self._waiting if w[0] != epoch]
            pane = (epoch + 1) * self._epoch_panes - 1
            frame = self._frame(pane)
            for item in mine:
                self._take(item, frame, out)
            self._take_samples([item for item in mine if isinstance(item, Samples)])
            self._forget(pane)
            self._look(frame, out)
            self._closed_epoch = epoch
            self._changed = True

    def _take(self, item: ProfileSignal, frame: Frame, out: Outputs) -> None:
        if isinstance(item, Profile):
            known = self.known.get(item.account)
            self.known[item.account] = (
                msgspec.structs.replace(known, profile=item) if known else KnownAccount(item, EMPTY, EMPTY)
            )
            self._dirty_accounts.add(item.account)
        elif isinstance(item, EpochClosed):
            heard = self._sources[item.source].epoch
            self._sources[item.source] = Source(heard, item.known_accounts, item.accounts, item.content)
        elif isinstance(item, CampaignVerdict):
            self._judge(item.verdict, frame, out)

    def _take_samples(self, messages: Sequence[Samples]) -> None:
        texts: dict[str, list[int]] = {}
        shingles: dict[str, list[int]] = {}
        for samples in messages:
            for account, text, some in zip(samples.accounts, samples.texts, samples.shingles, strict=True):
                texts.setdefault(account, []).extend([text] if text else [])
                shingles.setdefault(account, []).extend(some)
        for account, hashes in texts.items():
            known = self.known.get(account)
            if known is not None:
                known.texts = add_sample(known.texts, hashes, TEXTS_KEPT)
                known.shingles = add_sample(known.shingles, shingles[account], SHINGLES_KEPT)
                self._dirty_accounts.add(account)

    def _forget(self, pane: int) -> None:
        """Accounts that have been silent for long, and beyond the bound those that have been silent longest."""
        by_age = sorted(self.known, key=lambda account: (self.known[account].profile.pane, account))
        beyond = len(by_age) - self.config.max_profiles
        for at, account in enumerate(by_age):
            if at >= beyond and pane - self.known[account].profile.pane <= self._idle_panes:
                break
            del self.known[account]
            self._dirty_accounts.add(account)
        kept = pane - self._rejected_panes
        self.roll.acquitted = {account: at for account, at in self.roll.acquitted.items() if at >= kept}

    def _look(self, frame: Frame, out: Outputs) -> None:
        """Compare accounts, enter what is found, and say what is new."""
        everybody = Everybody(known.profile for known in self.known.values())
        found = list(self._found(everybody))
        current = self.roll.enter(found, self.threshold, frame.pane)
        self._standing = {}
        for one in found:
            for account, near in zip(one.clump.members, one.clump.neighbours, strict=True):
                self._standing[account] = max(self._standing.get(account, 0), near)
        for name in sorted(self.roll.campaigns):
            self._tell(self._picture(self.roll.campaigns[name], current.get(name, []), everybody), frame, out)

    def _found(self, everybody: Everybody) -> Iterator[Found]:
        accounts = [known for account, known in sorted(self.known.items()) if account not in self.roll.acquitted]
        ordinary = self._ordinary()
        if ordinary is None or not accounts:
            return
        for clump in clumps(accounts, ordinary, self._tests, self._block_ms):
            members = [self.known[account].profile for account in clump.members]
            own = [profile.nats for profile in members]
            yield Found(clump, pooled(clump, own, everybody.payment_nats(members)))

    def _ordinary(self) -> NDArray[np.float64] | None:
        """Mean embedding of ordinary one-shot traffic, one vote an account; None before anybody has spoken."""
        votes = sum(source.accounts for source in self._sources.values())
        if votes < self.config.min_reference_accounts:
            return None
        contents = [source.content for _, source in sorted(self._sources.items()) if len(source.content) == EMBEDDING]
        return np.asarray(np.sum(contents, axis=0) / (votes * FULL_EMBEDDING))

    # -- what is said --------------------------------------------------------------------------------------------

    def _tell(self, picture: Picture, frame: Frame, out: Outputs) -> None:
        campaign = picture.campaign
        latest = max((profile.pane for profile in picture.profiles.values()), default=0)
        campaign.active_pane = max(campaign.active_pane, latest)
        if frame.pane - campaign.active_pane > self._idle_panes:
            self._end(picture, frame, out)
            return
        activity = self._activity(picture, frame)
        if activity is not None:
            campaign.said_pane, campaign.said_members = frame.pane, len(campaign.members)
            campaign.said_tier = picture.tier(self.threshold)
            out.findings.append(campaign_finding(picture, frame, activity))
            self._dirty_campaigns.add(campaign.name)
        for account in sorted(campaign.members):
            self._tell_member(picture, account, frame, out)

    def _activity(self, picture: Picture, frame: Frame) -> Activity | None:
        campaign = picture.campaign
        if not campaign.said_pane:
            return "create"
        grown = len(campaign.members) >= MORE_MEMBERS * campaign.said_members
        raised = picture.tier(self.threshold) > campaign.said_tier
        active = campaign.active_pane > frame.pane - self._epoch_panes
        stale = active and frame.pane - campaign.said_pane >= self._refresh_panes
        return "update" if grown or raised or stale else None

    def _tell_member(self, picture: Picture, account: str, frame: Frame, out: Outputs) -> None:
        member = picture.campaign.members[account]
        profile = picture.profiles.get(account)
        active = profile is not None and profile.pane > frame.pane - self._epoch_panes
        new = not member.said_pane
        if new or (active and frame.pane - member.said_pane >= self._refresh_panes):
            member.said_pane = frame.pane
            self._dirty_campaigns.add(picture.campaign.name)
            out.findings.append(member_finding(picture, account, frame, "create" if new else "update"))

    def _end(self, picture: Picture, frame: Frame, out: Outputs, note: Evidence | None = None) -> None:
        """Close a campaign and its members' incidents."""
        members = sorted(picture.campaign.members)
        out.findings.append(campaign_finding(picture, frame, "close", note))
        out.findings.extend(member_finding(picture, account, frame, "close", note) for account in members)
        if picture.campaign.name in self.roll.campaigns:
            self.roll.dissolve(picture.campaign.name)
        self._dirty_campaigns.add(picture.campaign.name)

    def _picture(self, campaign: Campaign, found: Sequence[Found] = (), everybody: Everybody | None = None) -> Picture:
        profiles = {
            account: self.known[account].profile for account in sorted(campaign.members) if account in self.known
        }
        return Picture(campaign=campaign, found=found, profiles=profiles, everybody=everybody)

    def _frame(self, pane: int) -> Frame:
        hours = self.config.reference_seconds / 3600
        return Frame(
            pane=pane,
            pane_ms=self.pane_ms,
            config_hash=self._hash,
            threshold=self.threshold,
            shard=self.partition,
            shard_accounts=sum(source.known_accounts for source in self._sources.values()),
            horizon=f"lifetime, looked at every {hours:g} h",
        )

    # -- verdicts ------------------------------------------------------------------------------------------------

    def _judge(self, verdict: Verdict, frame: Frame, out: Outputs) -> None:
        """A benign verdict ends a campaign and lets its members go; a confirmation makes it critical."""
        if verdict.subject_kind == "account":
            self._judge_member(verdict, frame, out)
            return
        campaign = self.roll.campaigns.get(verdict.subject)
        if campaign is None:
            return
        if verdict.label == "benign":
            picture = self._picture(campaign)
            self.roll.acquit(campaign.name, frame.pane)
            self._end(picture, frame, out, _acquittal(verdict, frame))
        elif verdict.label == "distillation":
            campaign.confirmed = True
            self._dirty_campaigns.add(campaign.name)

    def _judge_member(self, verdict: Verdict, frame: Frame, out: Outputs) -> None:
        """A benign verdict lets one account go for good, a confirmation lets it be compared again."""
        account = verdict.subject
        if verdict.label == "distillation":
            self.roll.acquitted.pop(account, None)
        if verdict.label != "benign":
            return
        campaign = self.roll.campaigns.get(self.roll.of_account.get(account, ""))
        if campaign is not None:
            picture, note = self._picture(campaign), _acquittal(verdict, frame)
            out.findings.append(member_finding(picture, account, frame, "close", note))
            self._dirty_campaigns.add(campaign.name)
        self.roll.acquit_member(account, frame.pane)
        if campaign is not None and not campaign.members:
            self._end(self._picture(campaign), frame, out, _acquittal(verdict, frame))

    # -- what the outside may ask --------------------------------------------------------------------------------

    def accounts(self) -> Iterator[AccountRow]:
        """Every member of a campaign, by id.

        It ranks with accounts that were reported alone, and higher by its campaign's evidence (bounded like an
        account's own) and by its close neighbours: a large campaign before anybody else.
        """
        frame = self._frame(0)
        for account, name in sorted(self.roll.of_account.items()):
            campaign = self.roll.campaigns[name]
            score = evidence.MOST_NATS + min(campaign.nats, evidence.MOST_NATS)
            score += RANK_OF_NEIGHBOUR * min(self._standing.get(account, 0), MOST_NEIGHBOURS)
            if account in self.known:
                score += min(max(self.known[account].profile.nats, 0.0), evidence.MOST_NATS)
            yield AccountRow(
                account_id=account,
                score=score,
                max_score=score,
                first_alert_ts=(campaign.members[account].since_pane + 1) * self.pane_ms,
                campaign_id=campaign_uid(campaign, frame),
                events=0,
            )

    # -- putting down and picking up -----------------------------------------------------------------------------

    def checkpoint(self) -> Checkpoint | None:
        """Accounts and campaigns that changed, and the offset of the first message that still waits."""
        offset = self._resume_from()
        if not self._changed and offset <= self._checkpointed:
            return None
        rows: dict[bytes, bytes | None] = {
            _account_key(account): knowledge.dump(known) if (known := self.known.get(account)) else None
            for account in sorted(self._dirty_accounts)
        }
        for name in sorted(self._dirty_campaigns | self.roll.campaigns.keys()) if self._changed else ():
            campaign = self.roll.campaigns.get(name)
            rows[CAMPAIGN_ROW + name.encode()] = msgspec.json.encode(campaign) if campaign else None
        rows[CLOCK_ROW] = self._clock_row()
        self._dirty_accounts.clear()
        self._dirty_campaigns.clear()
        self._changed, self._checkpointed = False, offset
        return Checkpoint(rows=rows, next_offset=offset)

    def snapshot(self) -> dict[bytes, bytes]:
        """Every row, in key order."""
        accounts = {_account_key(account): knowledge.dump(known) for account, known in sorted(self.known.items())}
        campaigns = {
            CAMPAIGN_ROW + name.encode(): msgspec.json.encode(campaign)
            for name, campaign in sorted(self.roll.campaigns.items())
        }
        return {**accounts, **campaigns, CLOCK_ROW: self._clock_row()}

    def restore(self, rows: Mapping[bytes, bytes]) -> int:
        """Take over the rows of a snapshot; returns the offset to read from."""
        clock = msgspec.json.decode(rows[CLOCK_ROW], type=CampaignClock)
        self.config.refuse_other_measures(clock.measures, self.partition)
        self._next_offset = self._checkpointed = clock.next_offset
        self._closed_epoch, self._standing = clock.closed_epoch, clock.standing
        self._sources.update(clock.sources)
        self.roll.acquitted.update(clock.acquitted)
        for key, row in rows.items():
            if key.startswith(ACCOUNT_ROW):
                self.known[key[len(ACCOUNT_ROW) :].decode("utf-8", "surrogatepass")] = knowledge.load(row)
        self.roll.load(
            {
                key[len(CAMPAIGN_ROW) :].decode(): msgspec.json.decode(row, type=Campaign)
                for key, row in rows.items()
                if key.startswith(CAMPAIGN_ROW)
            }
        )
        return clock.next_offset

    def _resume_from(self) -> int:
        return self._waiting[0][1] if self._waiting else self._next_offset

    def _clock_row(self) -> bytes:
        clock = CampaignClock(
            next_offset=self._resume_from(),
            closed_epoch=self._closed_epoch,
            sources={
                number: msgspec.structs.replace(source, epoch=min(source.epoch, self._closed_epoch))
                for number, source in sorted(self._sources.items())
            },
            acquitted=dict(sorted(self.roll.acquitted.items())),
            standing=dict(sorted(self._standing.items())),
            measures=self.config.measures(),
        )
        return msgspec.json.encode(clock)


def _account_key(account: str) -> bytes:
    return ACCOUNT_ROW + account.encode("utf-8", "surrogatepass")


def _acquittal(verdict: Verdict, frame: Frame) -> Evidence:
    return Evidence(
        signal="verdict",
        statement=f"{verdict.analyst} called it benign: {verdict.note or 'no note'}",
        observed=1.0,
        baseline=0.0,
        percentile=0.0,
        unit="verdict",
        horizon=frame.horizon,
        p_value=1.0,
        weight=0.0,
    )
