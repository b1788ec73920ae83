"""The campaign engine: profiles of all account shards in, campaigns and their members out.

Works an epoch at a time, when every account shard has closed it; so the result does not depend on how the shards'
messages interleave. Messages of an epoch that is not closed yet wait, and are read again after a restart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.signals import CampaignVerdict, EpochClosed, ProfileSignal, Samples

from stillwatch_models import evidence
from stillwatch_models.accounts import AccountRow
from stillwatch_models.campaigns.clumps import clumps
from stillwatch_models.campaigns.evidence import pooled
from stillwatch_models.campaigns.infrastructure import Everybody
from stillwatch_models.campaigns.report import Frame, campaign_uid
from stillwatch_models.campaigns.roll import Found
from stillwatch_models.campaigns.state import CampaignState
from stillwatch_models.campaigns.telling import Teller
from stillwatch_models.columns import EMBEDDING
from stillwatch_models.config import EngineConfig
from stillwatch_models.features import FULL_EMBEDDING
from stillwatch_models.shard import Batch, Checkpoint, Outputs
from stillwatch_models.switches import campaign_tests

RANK_OF_NEIGHBOUR, MOST_NEIGHBOURS = 2.0, 10
"""What close neighbours add to the rank of a campaign's member."""


class CampaignEngine:
    """The one shard that sees all profiles. Items: `Profile`, `Samples`, `EpochClosed` or `CampaignVerdict`."""

    def __init__(self, config: EngineConfig, partition: int, sources: int) -> None:
        self.config = config
        self.partition = partition
        self.state = CampaignState(config, partition, sources)
        self.threshold = evidence.threshold(config.budget_per_10k_account_days)
        self.pane_ms = round(config.pane_seconds * 1000)
        self._block_ms = round(config.evidence_block_seconds * 1000)
        self._epoch_panes = max(1, round(config.reference_seconds / config.pane_seconds))
        self._idle_panes = max(1, round(config.campaign_idle_seconds / config.pane_seconds))
        self._rejected_panes = max(1, round(config.rejected_seconds / config.pane_seconds))
        self._hash = config.hash()
        self._tests = campaign_tests(config)
        self._teller = Teller(config, self.state, epoch_panes=self._epoch_panes)
        self._waiting: list[tuple[int, int, ProfileSignal]] = []
        """Epoch, offset and item of what came for epochs that are open, in order of offset."""
        self._next_offset = 0
        self._checkpointed = -1
        self._changed = False

    # -- the stream ----------------------------------------------------------------------------------------------

    def process(self, batch: Batch[ProfileSignal]) -> Outputs:
        """Take messages; epochs that every source has closed are looked at."""
        out = Outputs()
        for item, offset in zip(batch.items, batch.offsets, strict=True):
            # What comes late, or again after a restart, counts in the next epoch: taking it twice changes nothing.
            self._waiting.append((max(self._epoch_of(item), self.state.closed_epoch + 1), offset, item))
            if isinstance(item, EpochClosed):
                self.state.heard(item)
                self._close(self._common_epoch(), out)
        self._next_offset = max(self._next_offset, batch.next_offset)
        return out

    def finish(self) -> Outputs:
        """Close every epoch that has messages: the end of a finite input."""
        out = Outputs()
        self._close(max((epoch for epoch, _, _ in self._waiting), default=self.state.closed_epoch), out)
        return out

    def expire(self, now_ms: int) -> Outputs:  # noqa: ARG002 - part of the shard protocol; campaigns age by event time
        """Nothing here runs out by the clock."""
        return Outputs()

    def _epoch_of(self, item: ProfileSignal) -> int:
        return item.epoch if isinstance(item, EpochClosed) else item.pane // self._epoch_panes

    def _common_epoch(self) -> int:
        """The latest epoch that every source has closed; one that is far behind or silent is not waited for."""
        epochs = [source.epoch for source in self.state.sources.values()]
        return max(min(epochs), max(epochs) - self.config.campaign_patience_epochs)

    # -- an epoch's end ------------------------------------------------------------------------------------------

    def _close(self, last_epoch: int, out: Outputs) -> None:
        for epoch in sorted({epoch for epoch, _, _ in self._waiting if epoch <= last_epoch}):
            items = [item for waits_for, _, item in self._waiting if waits_for == epoch]
            self._waiting = [waiting for waiting in self._waiting if waiting[0] != epoch]
            self._end_epoch(epoch, items, out)
            self.state.closed_epoch = epoch
            self._changed = True

    def _end_epoch(self, epoch: int, items: Sequence[ProfileSignal], out: Outputs) -> None:
        """Take an epoch's messages, forget what is too old by then, compare, and say what is new."""
        frame = self._frame((epoch + 1) * self._epoch_panes - 1)
        for item in items:
            if isinstance(item, CampaignVerdict):
                out.findings.extend(self._teller.judge(item.verdict, frame))
            else:
                self.state.take(item)
        self.state.take_samples([item for item in items if isinstance(item, Samples)])
        self.state.forget(
            silent_before=frame.pane - self._idle_panes,
            most=self.config.max_profiles,
            acquitted_before=frame.pane - self._rejected_panes,
        )
        everybody = Everybody(known.profile for known in self.state.known.values())
        found = list(self._found(everybody))
        self.state.standing = _standing(found)
        current = self.state.roll.enter(found, self.threshold, frame.pane)
        out.findings.extend(self._teller.news(current, everybody, frame))

    def _found(self, everybody: Everybody) -> Iterator[Found]:
        known, acquitted = self.state.known, self.state.roll.acquitted
        accounts = [known[account] for account in sorted(known) if account not in acquitted]
        ordinary = self._ordinary()
        if ordinary is None or not accounts:
            return
        for clump in clumps(accounts, ordinary, self._tests, self._block_ms):
            members = [known[account].profile for account in clump.members]
            own = [profile.nats for profile in members]
            yield Found(clump, pooled(clump, own, everybody.payment_nats(members)))

    def _ordinary(self) -> NDArray[np.float64] | None:
        """Mean embedding of ordinary one-shot traffic, one vote an account; None before anybody has spoken."""
        sources = [source for _, source in sorted(self.state.sources.items())]
        votes = sum(source.accounts for source in sources)
        if votes < self.config.min_reference_accounts:
            return None
        contents = [source.content for source in sources if len(source.content) == EMBEDDING]
        return np.asarray(np.sum(contents, axis=0) / (votes * FULL_EMBEDDING))

    def _frame(self, pane: int) -> Frame:
        hours = self.config.reference_seconds / 3600
        return Frame(
            pane=pane,
            pane_ms=self.pane_ms,
            config_hash=self._hash,
            threshold=self.threshold,
            shard=self.partition,
            shard_accounts=sum(source.known_accounts for source in self.state.sources.values()),
            horizon=f"lifetime, looked at every {hours:g} h",
        )

    # -- what the outside may ask --------------------------------------------------------------------------------

    def gauges(self) -> dict[str, int]:
        """What there is now."""
        roll = self.state.roll
        return {
            "compared_accounts": len(self.state.known),
            "campaigns": len(roll.campaigns),
            "campaign_members": len(roll.of_account),
        }

    def accounts(self) -> Iterator[AccountRow]:
        """Every member of a campaign, by id.

        It ranks with accounts that were reported alone, and higher by its campaign's evidence (bounded like an
        account's own) and by its close neighbours: a large campaign before anybody else.
        """
        frame, known, roll = self._frame(0), self.state.known, self.state.roll
        for account, name in sorted(roll.of_account.items()):
            campaign = roll.campaigns[name]
            score = evidence.MOST_NATS + min(campaign.nats, evidence.MOST_NATS)
            score += RANK_OF_NEIGHBOUR * min(self.state.standing.get(account, 0), MOST_NEIGHBOURS)
            if account in known:
                score += min(max(known[account].profile.nats, 0.0), evidence.MOST_NATS)
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
        rows = self.state.take_dirty(offset, epoch_closed=self._changed)
        self._changed, self._checkpointed = False, offset
        return Checkpoint(rows=rows, next_offset=offset)

    def snapshot(self) -> dict[bytes, bytes]:
        """Every row, in key order."""
        return self.state.dump(self._resume_from())

    def restore(self, rows: Mapping[bytes, bytes]) -> int:
        """Take over the rows of a snapshot; returns the offset to read from."""
        self._next_offset = self._checkpointed = self.state.load(rows)
        return self._next_offset

    def _resume_from(self) -> int:
        return self._waiting[0][1] if self._waiting else self._next_offset


def _standing(found: Sequence[Found]) -> dict[str, int]:
    """Close neighbours of each account, in that of its clumps where it has most."""
    standing: dict[str, int] = {}
    for one in found:
        for account, near in zip(one.clump.members, one.clump.neighbours, strict=True):
            standing[account] = max(standing.get(account, 0), near)
    return standing
