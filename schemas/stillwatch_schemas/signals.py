"""Signals: what the account agent tells the group agent (topic `llm.signals.v1`, key: group).

A contribution is the *whole* of what one source partition saw of one group in one pane, so that a redelivery replaces
it instead of adding to it. `PaneClosed` goes to every signals partition after the last contribution of a pane.
"""

from __future__ import annotations

import msgspec

from stillwatch_schemas.limits import Count, Id, Ids, Members, Pane, Partition, TimeMs, Tokens


class Contribution(msgspec.Struct, frozen=True, kw_only=True, tag="contribution", tag_field="type"):
    """One source partition's share of one group in one pane."""

    group: Id
    """`asn:64500`, later `net:`, `template:`, `payment:`, `client:`, `topic:`."""
    source: Partition
    """Source partition."""
    pane: Pane
    """Pane number: event time in ms divided by the pane's length."""
    pane_end_ms: TimeMs
    events: Count
    output_tokens: Tokens
    accounts: Members
    """Distinct accounts in the pane, sorted, bounded."""
    accounts_total: Count
    new_accounts: Count
    """Accounts that came from elsewhere: their previous request was in another group, or this was their first."""
    event_ids: Ids = ()


class PaneClosed(msgspec.Struct, frozen=True, kw_only=True, tag="pane_closed", tag_field="type"):
    """The source partition has sent everything up to and including this pane."""

    source: Partition
    pane: Pane
    pane_end_ms: TimeMs


Signal = Contribution | PaneClosed
