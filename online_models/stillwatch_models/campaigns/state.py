"""What the campaign engine keeps between epochs, put down as rows and picked up again.

What waits for an epoch that is still open is not here: it is read again after a restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from stillwatch_schemas.signals import EpochClosed, Profile, Samples

from stillwatch_models.campaigns import known as knowledge
from stillwatch_models.campaigns.known import EMPTY, SHINGLES_KEPT, TEXTS_KEPT, KnownAccount, add_sample
from stillwatch_models.campaigns.roll import Campaign, Roll
from stillwatch_models.config import EngineConfig
from stillwatch_models.panes import UNSEEN

ACCOUNT_ROW, CAMPAIGN_ROW, CLOCK_ROW = b"a:", b"c:", b"m:clock"


class Source(msgspec.Struct):
    """What one account shard said last about its ordinary traffic."""

    epoch: int
    known_accounts: int = 0
    accounts: int = 0
    """Accounts in `content`."""
    content: tuple[float, ...] = ()
    """Sum of their mean embeddings; see `EpochClosed`."""


class CampaignClock(msgspec.Struct):
    """The small part of the state."""

    next_offset: int
    closed_epoch: int
    sources: dict[int, Source]
    """No further than the closed epoch: what waits is heard again after a restart."""
    acquitted: dict[str, int]
    standing: dict[str, int]
    measures: dict[str, float] = {}


class CampaignState:
    """All that is known of accounts and campaigns, and what of it changed since the last checkpoint."""

    def __init__(self, config: EngineConfig, partition: int, sources: int) -> None:
        self._config = config
        self._partition = partition
        self.roll = Roll()
        self.known: dict[str, KnownAccount] = {}
        self.sources = {source: Source(UNSEEN) for source in range(sources)}
        self.standing: dict[str, int] = {}
        """Close neighbours of each account in a clump of the latest epoch."""
        self.closed_epoch = UNSEEN
        self.dirty_campaigns: set[str] = set()
        self._dirty_accounts: set[str] = set()

    # -- hearing -------------------------------------------------------------------------------------------------

    def heard(self, closed: EpochClosed) -> None:
        """How far a source is; what else it says counts when its epoch is taken."""
        source = self.sources.setdefault(closed.source, Source(UNSEEN))
        source.epoch = max(source.epoch, closed.epoch)

    def take(self, item: Profile | Samples | EpochClosed) -> None:
        """Take over one message of a closed epoch; samples are taken together, by `take_samples`."""
        if isinstance(item, Profile):
            known = self.known.get(item.account, KnownAccount(item, EMPTY, EMPTY))
            self.known[item.account] = msgspec.structs.replace(known, profile=item)
            self._dirty_accounts.add(item.account)
        elif isinstance(item, EpochClosed):
            heard = self.sources[item.source].epoch
            self.sources[item.source] = Source(heard, item.known_accounts, item.accounts, item.content)

    def take_samples(self, messages: Iterable[Samples]) -> None:
        """Add an epoch's samples to those of accounts that are known."""
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

    def forget(self, *, silent_before: int, most: int, acquitted_before: int) -> None:
        """Forget accounts silent since before a pane, beyond `most` the longest silent; and acquittals as old."""
        by_age = sorted(self.known, key=lambda account: (self.known[account].profile.pane, account))
        beyond = len(by_age) - most
        for at, account in enumerate(by_age):
            if at >= beyond and self.known[account].profile.pane >= silent_before:
                break
            del self.known[account]
            self._dirty_accounts.add(account)
        acquitted = self.roll.acquitted
        self.roll.acquitted = {account: at for account, at in acquitted.items() if at >= acquitted_before}

    # -- putting down and picking up -----------------------------------------------------------------------------

    def take_dirty(self, next_offset: int, *, epoch_closed: bool) -> dict[bytes, bytes | None]:
        """Rows that changed since the last call; None deletes. An epoch's end may have changed any campaign."""
        rows: dict[bytes, bytes | None] = {
            _account_key(account): knowledge.dump(known) if (known := self.known.get(account)) else None
            for account in sorted(self._dirty_accounts)
        }
        for name in sorted(self.dirty_campaigns | self.roll.campaigns.keys()) if epoch_closed else ():
            campaign = self.roll.campaigns.get(name)
            rows[CAMPAIGN_ROW + name.encode()] = msgspec.json.encode(campaign) if campaign else None
        rows[CLOCK_ROW] = self._clock_row(next_offset)
        self._dirty_accounts.clear()
        self.dirty_campaigns.clear()
        return rows

    def dump(self, next_offset: int) -> dict[bytes, bytes]:
        """Every row, in key order."""
        accounts = {_account_key(account): knowledge.dump(known) for account, known in sorted(self.known.items())}
        campaigns = {
            CAMPAIGN_ROW + name.encode(): msgspec.json.encode(campaign)
            for name, campaign in sorted(self.roll.campaigns.items())
        }
        return {**accounts, **campaigns, CLOCK_ROW: self._clock_row(next_offset)}

    def load(self, rows: Mapping[bytes, bytes]) -> int:
        """Take over what `dump` gave, or `take_dirty` bit by bit; returns the offset to read from."""
        clock = msgspec.json.decode(rows[CLOCK_ROW], type=CampaignClock)
        self._config.refuse_other_measures(clock.measures, self._partition)
        self.closed_epoch, self.standing = clock.closed_epoch, clock.standing
        self.sources.update(clock.sources)
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

    def _clock_row(self, next_offset: int) -> bytes:
        clock = CampaignClock(
            next_offset=next_offset,
            closed_epoch=self.closed_epoch,
            sources={
                number: msgspec.structs.replace(source, epoch=min(source.epoch, self.closed_epoch))
                for number, source in sorted(self.sources.items())
            },
            acquitted=dict(sorted(self.roll.acquitted.items())),
            standing=dict(sorted(self.standing.items())),
            measures=self._config.measures(),
        )
        return msgspec.json.encode(clock)


def _account_key(account: str) -> bytes:
    return ACCOUNT_ROW + account.encode("utf-8", "surrogatepass")
