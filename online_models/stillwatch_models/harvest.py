"""Harvest events: requests that look like one item of a data set, and not like somebody talking.

A harvester sends a list. Each item stands alone, is new to the account, is worded like a task and not like a person,
and is not one filling of a template. No single mark is rare; all of them together, request after request, are.

    harvest = stands alone, no tools, answered, fresh, own, no template, impersonal and formal

- stands alone: it opens a conversation, or follows up with another topic (cosine to the previous prompt below 0.35);
- fresh: at least three in ten of its MinHash values are new to the account (Bloom filter, corrected for filling), and
  the text itself was not sent before;
- no template: its first and last four tokens stood in less than 35 % of the account's prompts so far;
- own: no other account of the partition sent the text before (`texts`);
- impersonal, formal: the sketch's marks of style. Without `formal` it is an informal harvest event, tested apart.

Two looser marks serve the comparison of accounts with each other (`profiles`): a *one-shot* stands alone at the
beginning of a conversation, without tools, and was not sent before; a *wrapped* one is also fresh, own, impersonal,
formal and answered at length, whatever template it stands in.

What came before means the panes before; within a pane the first of equal texts is the fresh one, in time order.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from stillwatch_models.accounts import FULL_BUCKET, SEEN_BYTES, TEMPLATE_BUCKETS, Rows
from stillwatch_models.columns import Events
from stillwatch_models.distinct import mix
from stillwatch_models.records import take

Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]

LEAST_FRESH = 0.3
LEAST_FRESH_WRAPPED = 0.4
LONG_ANSWER = 40
"""Output tokens of a wrapped one-shot; an unknown number counts as enough."""
MOST_TEMPLATE = 0.35
FEW_EVENTS = 10
"""A template's share is taken of at least so many events."""
SAME_TOPIC = 0.35
BITS = 8 * SEEN_BYTES
TEXT_BITS = 2
"""Bits that a text sets in its Bloom filter."""


class Observed(msgspec.Struct, frozen=True):
    """Marks of events."""

    strict: Mask
    """Harvest events."""
    loose: Mask
    """The same without regard to form."""
    one_shot: Mask
    wrapped: Mask
    repeated: Mask
    """The account sent the text before."""


def observe(rows: Rows, events: Events, owner: Indices, local: Indices) -> Observed:
    """Which events are harvest events and the like; updates the rows' memory.

    `rows` is one row an account, `events` are of one pane an account, by account and time; `owner[i]` is the row of
    event i and `local[j]` the first event of row j.
    """
    text = events["has_text"] != 0
    new_words, repeated = _novelty(rows, events, owner)
    formal, repeated = events["formal"] != 0, repeated & text
    alone = (events["one_shot"] != 0) | (formal & ~_same_topic(rows, events, local))
    answered = (events["answered"] != 0) & (events["failed"] == 0) & (events["tools"] == 0)
    own = (events["impersonal"] != 0) & (events["shared"] == 0)
    fresh = (new_words >= LEAST_FRESH) & ~repeated & text
    loose = alone & answered & fresh & own & ~_templated(rows, events, owner)
    one_shot = (events["one_shot"] != 0) & (events["tools"] == 0) & text & ~repeated
    at_length = answered & ((events["output_tokens"] >= LONG_ANSWER) | (events["output_tokens"] == 0))
    wrapped = one_shot & at_length & (new_words >= LEAST_FRESH_WRAPPED) & own & formal
    _remember(rows, events, owner, local, text)
    return Observed(strict=loose & formal, loose=loose, one_shot=one_shot, wrapped=wrapped, repeated=repeated)


def _novelty(rows: Rows, events: Events, owner: Indices) -> tuple[NDArray[np.float64], Mask]:
    """Share of MinHash values that are new to the account, and whether the text itself was sent before."""
    slot = np.arange(events["minhash"].shape[1], dtype=np.int64) << 32
    words = _bits(events["minhash"].astype(np.int64) + slot)
    texts = _text_bits(events)
    new_words = ~_holds(rows["seen_words"], owner[:, None], words) & _first(owner, words)
    filled = np.bitwise_count(rows["seen_words"]).sum(axis=1, dtype=np.int64)[owner] / BITS
    empty = np.maximum(1.0 - filled, 1.0 / BITS)  # a pane of thousands of requests can fill it to the last bit
    share = new_words.mean(axis=1) / empty
    sent_before = _holds(rows["seen_texts"], owner[:, None], texts).all(axis=1)
    return np.asarray(share), np.asarray(sent_before)


def _bits(values: NDArray[np.int64]) -> Indices:
    return (mix(values) % np.uint64(BITS)).astype(np.intp)


def _text_bits(events: Events) -> Indices:
    salt = np.arange(1, TEXT_BITS + 1, dtype=np.int64) << 53
    return _bits(events["text_hash"][:, None] ^ salt)


def _holds(filters: NDArray[np.uint8], owner: Indices, bits: Indices) -> Mask:
    return np.asarray(filters[owner, bits >> 3] >> (bits & 7).astype(np.uint8) & 1 == 1)


def _first(owner: Indices, bits: Indices) -> Mask:
    """Marks the first occurrence of each bit among an account's events of the pane."""
    keys = (owner[:, None] * BITS + bits).ravel()
    first = np.zeros(len(keys), bool)
    first[np.unique(keys, return_index=True)[1]] = True
    return first.reshape(bits.shape)


def _same_topic(rows: Rows, events: Events, local: Indices) -> Mask:
    """Whether an event goes on with the topic of the previous one of its conversation."""
    before = np.concatenate((events["embedding"][:1], events["embedding"][:-1])).astype(np.int64)
    conversation = np.concatenate((events["conversation"][:1], events["conversation"][:-1]))
    before[local], conversation[local] = rows["latest_embedding"], rows["conversation"]
    now = events["embedding"].astype(np.int64)
    product = (now * before).sum(axis=1)
    lengths = np.sqrt(((now * now).sum(axis=1) * (before * before).sum(axis=1)).astype(np.float64))
    return np.asarray((conversation == events["conversation"]) & (product >= SAME_TOPIC * np.maximum(lengths, 1.0)))


def _templated(rows: Rows, events: Events, owner: Indices) -> Mask:
    total = np.maximum(rows["leads"].sum(axis=1, dtype=np.int64), FEW_EVENTS)[owner]
    most = np.maximum(rows["leads"][owner, _bucket(events["lead"])], rows["tails"][owner, _bucket(events["tail"])])
    return np.asarray(most / total >= MOST_TEMPLATE)


def _bucket(hashes: NDArray[np.int64]) -> Indices:
    return (mix(hashes) % np.uint64(TEMPLATE_BUCKETS)).astype(np.intp)


def _remember(rows: Rows, events: Events, owner: Indices, local: Indices, text: Mask) -> None:
    some, who = take(events, np.flatnonzero(text)), owner[text]
    if len(some):
        slot = np.arange(some["minhash"].shape[1], dtype=np.int64) << 32
        _add(rows["seen_words"], who[:, None], _bits(some["minhash"].astype(np.int64) + slot))
        _add(rows["seen_texts"], who[:, None], _text_bits(some))
        for name, column in (("openings", "opening"), ("leads", "lead"), ("tails", "tail")):
            _count(rows[name], who, _bucket(some[column]))
    last = np.append(local[1:], len(events)) - 1
    rows["latest_embedding"], rows["conversation"] = events["embedding"][last], events["conversation"][last]


def _count(histograms: NDArray[np.uint16], owner: Indices, bucket: Indices) -> None:
    """Add events to histograms, halving those that would overflow: shares stay, the past counts less."""
    counts = np.zeros(histograms.shape, np.int64)
    np.add.at(counts, (owner, bucket), 1)
    counts += histograms
    while len(full := np.flatnonzero(counts.max(axis=1) > FULL_BUCKET)):
        counts[full] >>= 1
    histograms[:] = counts


def _add(filters: NDArray[np.uint8], owner: Indices, bits: Indices) -> None:
    full = np.bitwise_count(filters).sum(axis=1, dtype=np.int64) > BITS // 2
    filters[full] = 0
    owners = np.broadcast_to(owner, bits.shape)
    np.bitwise_or.at(filters, (owners, bits >> 3), np.left_shift(1, bits & 7).astype(np.uint8))
