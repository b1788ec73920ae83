"""Signals: what the account agent tells the group agent (topic `llm.signals.v1`, key: group).

A contribution is the *whole* of what one source partition saw of one group in a span of panes that ends with `pane`,
so that a redelivery replaces it instead of adding to it. A span is a group window, or a part of one where traffic is
heavy. `PaneClosed` goes to every signals partition after the last contribution of a pane.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from stillwatch_schemas.limits import (
    EMBEDDING_BYTES,
    MINHASH_VALUES,
    Asn,
    Count,
    Hash32,
    Hash52,
    Id,
    Ids,
    Members,
    NonNegative,
    Pane,
    Partition,
    Real,
    Share,
    TimeMs,
    Tokens,
)
from stillwatch_schemas.verdicts import Verdict


class Contribution(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="contribution", tag_field="type"
):
    """One source partition's share of one group in one span of panes."""

    group: Id
    """`asn:64500`, `net:192.0.2.0/24`, `topic:803`, or `payment:`, `client:`, `template:` and a hash in hexadecimal."""
    source: Partition
    """Source partition."""
    pane: Pane
    """The span's last pane. Pane number: event time in ms divided by the pane's length."""
    pane_end_ms: TimeMs
    events: Count
    output_tokens: Tokens
    accounts: Members
    """Distinct accounts of the span, sorted, bounded: the busiest where there are more."""
    accounts_total: Count
    new_accounts: Count
    """Accounts that came from elsewhere: their previous request was in another group, or this was their first.
    Templates and topics have no elsewhere: all accounts."""
    event_ids: Ids = ()
    fresh_accounts: Count = 0
    """Accounts that the partition had never seen before."""
    accounts_so_far: Count = 0
    """Accounts, in whatever groups, that the partition has ever seen up to the span's end."""
    judged_accounts: Count = 0
    """Accounts with enough requests for evidence of their own."""
    suspect_accounts: Count = 0
    """Of these, the ones whose own evidence an innocent account ever reaches with a chance of 5 %."""
    weights: Annotated[tuple[Count, ...], Meta(max_length=64)] = ()
    """Requests of each named account."""
    evidence: Annotated[tuple[Real, ...], Meta(max_length=64)] = ()
    """Evidence of each named account, nats; 0 where it is not judged yet."""
    created: Annotated[tuple[Count, ...], Meta(max_length=64)] = ()
    """Day since 1970 on which each named account was created; 0 where unknown. Empty where no day is known."""
    together: Count = 0
    """Pairs of accounts that were active in the same pane, pane by pane."""
    together_expected: Real = 0.0
    """The same if every account's active panes had fallen into the span at random."""
    distinct: Annotated[bytes, Meta(max_length=4_096)] = b""
    """HyperLogLog sketch of all accounts, where not all are named; not of systems and topic cells, which are crowds."""


class PaneClosed(msgspec.Struct, frozen=True, kw_only=True, tag="pane_closed", tag_field="type"):
    """The source partition has sent everything up to and including this pane."""

    source: Partition
    pane: Pane
    pane_end_ms: TimeMs


Signal = Contribution | PaneClosed


class Content(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What some of an account's requests are about: the sum of their sketches' embeddings."""

    count: Count = 0
    """Requests in the sum; it is halved from time to time, which keeps the mean."""
    embedding: Annotated[bytes, Meta(max_length=2 * EMBEDDING_BYTES)] = b""
    """32 signed 16-bit integers, little-endian."""


class Profile(msgspec.Struct, frozen=True, kw_only=True, tag="profile", tag_field="type", omit_defaults=True):
    """One account as others may be compared with it; sent at most once an epoch, on its first pane there.

    Hashes (`org`, `payment`, ...) are 32 bits, 0 for unknown; they tell equal from different and nothing else.
    """

    account: Id
    source: Partition
    pane: Pane
    pane_end_ms: TimeMs
    first_seen_ms: TimeMs
    events: Count
    blocks: Count
    """Hours of event time with a request."""
    answers: Count
    harvest: Count
    """Harvest events."""
    wrapped: Count
    """Harvest events but for a template around them."""
    nats: Real
    """Evidence that the account harvests."""
    one_shot_share: Share
    """Of the requests, those that open a conversation."""
    repeat_share: Share
    """Of the requests, those whose text the account had sent before."""
    shared_share: Share
    """Of the requests, those whose text another account sent too."""
    opening_share: Share
    """Of the requests, those that begin with the commonest first word."""
    template_share: Share
    """Of the requests, those that begin, or those that end, with the commonest four words."""
    answer_tokens: NonNegative
    """Geometric mean of the output tokens."""
    one_shot: Content = Content()
    wrapped_one_shot: Content = Content()
    harvested: Content = Content()
    org: Hash32 = 0
    payment: Hash32 = 0
    client: Hash32 = 0
    net: Hash32 = 0
    asn: Asn = 0
    system_template: Hash32 = 0
    event_ids: Ids = ()


SAMPLED_REQUESTS = 2_000
"""Requests in one message, so that it fits into a record."""
Shingles = Annotated[tuple[Hash52, ...], Meta(max_length=MINHASH_VALUES)]


class Samples(msgspec.Struct, frozen=True, kw_only=True, tag="samples", tag_field="type"):
    """Samples of what profiled accounts asked in some panes: enough to tell how much two of them have in common.

    A hash is in the sample or not, whoever sends it, so that samples of different accounts can be compared.
    """

    source: Partition
    pane: Pane
    """The last of the panes."""
    pane_end_ms: TimeMs
    accounts: Annotated[tuple[Id, ...], Meta(max_length=SAMPLED_REQUESTS)]
    """One entry a request."""
    texts: Annotated[tuple[Hash52, ...], Meta(max_length=SAMPLED_REQUESTS)]
    """Hash of each request's text; 0 where it is not in the sample."""
    shingles: Annotated[tuple[Shingles, ...], Meta(max_length=SAMPLED_REQUESTS)]
    """Of each request, the places and values of its MinHash that are in the sample."""


class EpochClosed(msgspec.Struct, frozen=True, kw_only=True, tag="epoch_closed", tag_field="type"):
    """The source partition has sent every profile of this epoch; with it the content of its ordinary traffic."""

    source: Partition
    epoch: Pane
    epoch_end_ms: TimeMs
    known_accounts: Count
    """Accounts that the partition knows."""
    accounts: Count
    """Accounts in `content`: those with a few one-shot requests."""
    content: Annotated[tuple[Real, ...], Meta(max_length=EMBEDDING_BYTES)] = ()
    """Sum over these accounts, one vote an account, of the mean embedding of their one-shot requests."""


class CampaignVerdict(msgspec.Struct, frozen=True, kw_only=True, tag="campaign_verdict", tag_field="type"):
    """An analyst's verdict on a campaign, handed on at the end of the pane in which it took effect."""

    source: Partition
    pane: Pane
    verdict: Verdict


ProfileSignal = Profile | Samples | EpochClosed | CampaignVerdict
"""What the account agent tells the campaign agent (topic `llm.profiles.v1`)."""
