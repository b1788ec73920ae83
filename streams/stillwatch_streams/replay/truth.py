"""Ground truth of what was replayed: which labelled accounts were there, and when they really attacked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec
from stillwatch_models.columns import Request

from stillwatch_streams.replay.labels import Label

DAY_MS = 86_400_000


class Truth(msgspec.Struct, frozen=True):
    """What the results are measured against."""

    labels: Mapping[str, Label]
    """Of the accounts that had an event."""
    exchanges: Mapping[str, Mapping[str, Sequence[int]]]
    """Event times of attack exchanges, by campaign and account."""
    start_ms: int
    """Event time of the first event."""
    benign_account_days: int = 0
    """Days (UTC) on which a benign account sent something, over all benign accounts."""

    def counted(self) -> dict[str, Label]:
        """Labels without the distilling accounts that have no attack exchange: those have not shown themselves yet."""
        attackers = {account for accounts in self.exchanges.values() for account in accounts}
        return {name: label for name, label in self.labels.items() if not label.distill or name in attackers}


class Watcher:
    """Sees the events go by. Without event labels, every event of a distilling account is an attack exchange."""

    def __init__(self, labels: Mapping[str, Label] | None, attack_events: Mapping[str, str] | None) -> None:
        self.first_ts: int | None = None
        self._labels = labels
        self._of_event = attack_events
        self._of_account = {name: label.campaign_id for name, label in (labels or {}).items() if label.distill}
        self._exchanges: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._account_days: set[tuple[str, int]] = set()

    def see(self, events: Sequence[Request]) -> None:
        """Note one piece of the input."""
        if not events:
            return
        times = [event.ts for event in events]
        earliest = min(times)
        self.first_ts = earliest if self.first_ts is None else min(self.first_ts, earliest)
        if self._labels is None:
            return
        accounts = [event.account_id for event in events]
        self._account_days.update(zip(accounts, [ts // DAY_MS for ts in times], strict=True))
        for campaign, account, ts in zip(self._campaigns_of(events), accounts, times, strict=True):
            if campaign is not None:
                self._exchanges[campaign][account].append(ts)

    def _campaigns_of(self, events: Sequence[Request]) -> list[str | None]:
        """The campaign that each event is an attack exchange of."""
        if self._of_event is not None:
            return [self._of_event.get(event.event_id) for event in events]
        return [self._of_account.get(event.account_id) for event in events]

    def truth(self) -> Truth | None:
        """The labels of the accounts that were seen, and what they did; None without labels."""
        if self._labels is None:
            return None
        present = {account for account, _ in self._account_days}
        seen = {account: label for account, label in self._labels.items() if account in present}
        benign = {account for account, label in seen.items() if not label.distill}
        days = sum(account in benign for account, _ in self._account_days)
        return Truth(seen, self._exchanges, self.first_ts or 0, days)
