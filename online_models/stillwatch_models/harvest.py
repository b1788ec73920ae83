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

import math

import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.compiled import Number, Record, part

from stillwatch_models.accounts import FULL_BUCKET, FULL_CONTENT, SEEN_BYTES, TEMPLATE_BUCKETS
from stillwatch_models.columns import EMBEDDING, MINHASHES, Events
from stillwatch_models.distinct import mixed

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
HISTOGRAMS = 3
"""Openings, leads and tails."""

STRICT, LOOSE, ONE_SHOT, WRAPPED, REPEATED = 1, 2, 4, 8, 16
"""Marks of an event: harvest event; the same without regard to form; the looser marks; the account sent it before."""

Marks = NDArray[np.uint8]
Filter = NDArray[np.uint8]
Counts = NDArray[np.int64]


@part
def mark(row: Record, events: Events, marks: Marks, met: Filter) -> None:
    """Say of a cell's events, in time order, what they are. `met` is room for the words met in the pane."""
    met[:] = 0
    empty = max(1.0 - _filled(row.seen_words) / BITS, 1.0 / BITS)  # a pane of thousands can fill it to the last bit
    prompts = max(np.sum(row.leads), FEW_EVENTS)
    conversation, embedding = row.conversation, row.latest_embedding
    for at in range(len(events)):
        event = events[at]
        new_words = _new_words(row.seen_words, event, met) / MINHASHES / empty
        same_topic = event.conversation == conversation and _alike(event.embedding, embedding)
        templated = max(row.leads[_bucket(event.lead)], row.tails[_bucket(event.tail)]) / prompts >= MOST_TEMPLATE
        marks[at] = _marks(event, new_words, _sent_before(row.seen_texts, event), same_topic, templated)
        conversation, embedding = event.conversation, event.embedding


@part
def _marks(event: Record, new_words: float, sent_before: bool, same_topic: bool, templated: bool) -> int:
    text, formal, opens = event.has_text != 0, event.formal != 0, event.one_shot != 0
    repeated = text and sent_before
    alone = opens or (formal and not same_topic)
    answered = event.answered != 0 and event.failed == 0 and event.tools == 0
    own = event.impersonal != 0 and event.shared == 0
    fresh = text and not repeated and new_words >= LEAST_FRESH
    loose = alone and answered and fresh and own and not templated
    one_shot = opens and event.tools == 0 and text and not repeated
    at_length = answered and (event.output_tokens >= LONG_ANSWER or event.output_tokens == 0)
    wrapped = one_shot and at_length and own and formal and new_words >= LEAST_FRESH_WRAPPED
    strict = loose and formal
    return STRICT * strict | LOOSE * loose | ONE_SHOT * one_shot | WRAPPED * wrapped | REPEATED * repeated


@part
def _new_words(seen: Filter, event: Record, met: Filter) -> int:
    """How many of a prompt's MinHash values are new to the account, and not met in the pane before."""
    new = 0
    for n in range(MINHASHES):
        bit = _word_bit(event, n)
        if not _holds(met, bit):
            _set(met, bit)
            new += not _holds(seen, bit)
    return new


@part
def _sent_before(seen: Filter, event: Record) -> bool:
    found = 0
    for n in range(TEXT_BITS):
        found += _holds(seen, _text_bit(event, n))
    return found == TEXT_BITS


@part
def _alike(embedding: NDArray[np.int8], before: NDArray[np.int8]) -> Number:
    """Whether a prompt goes on with the topic of the one before."""
    product = own = other = np.int64(0)
    for i in range(EMBEDDING):
        a, b = np.int64(embedding[i]), np.int64(before[i])
        product += a * b
        own += a * a
        other += b * b
    return product >= SAME_TOPIC * max(math.sqrt(np.float64(own * other)), 1.0)


@part
def remember(row: Record, events: Events, buckets: Counts) -> None:
    """Take a cell's events into the account's memory. `buckets` is room to count in."""
    texts = 0
    for event in events:
        texts += event.has_text
    if texts:
        _empty_if_full(row.seen_words)
        _empty_if_full(row.seen_texts)
        buckets[:] = 0
        for event in events:
            if event.has_text:
                _remember_text(row, event, buckets)
        _add(row.openings, buckets[0])
        _add(row.leads, buckets[1])
        _add(row.tails, buckets[2])
    row.latest_embedding[:] = events[-1].embedding
    row.conversation = events[-1].conversation


@part
def _remember_text(row: Record, event: Record, buckets: Counts) -> None:
    for n in range(MINHASHES):
        _set(row.seen_words, _word_bit(event, n))
    for n in range(TEXT_BITS):
        _set(row.seen_texts, _text_bit(event, n))
    buckets[0, _bucket(event.opening)] += 1
    buckets[1, _bucket(event.lead)] += 1
    buckets[2, _bucket(event.tail)] += 1


@part
def _add(histogram: NDArray[np.uint16], counts: Counts) -> None:
    """Add events to a histogram, halving it where it would overflow: shares stay, the past counts less."""
    most, halvings = 0, 0
    for i in range(TEMPLATE_BUCKETS):
        counts[i] += histogram[i]
        most = max(most, counts[i])
    while most >> halvings > FULL_BUCKET:
        halvings += 1
    for i in range(TEMPLATE_BUCKETS):
        histogram[i] = counts[i] >> halvings


@part
def count(row: Record, events: Events, marks: Marks, block: int) -> None:
    """Add up a cell's marks; `block` is the block of event time that the pane lies in."""
    strict = loose = 0
    for event in events:
        row.shared += event.shared != 0
    for one in marks:
        strict += one & STRICT != 0
        loose += one & LOOSE != 0
        row.one_shots += one & ONE_SHOT != 0
        row.wrapped += one & WRAPPED != 0
        row.repeats += one & REPEATED != 0
    row.harvest += strict
    row.informal_harvest += loose
    row.blocks += row.block != block
    row.block = block
    if strict:
        row.harvest_blocks += row.harvest_block != block
        row.harvest_block = block


@part
def add_contents(row: Record, events: Events, marks: Marks, sums: Counts) -> None:
    """What the account asks about when it asks once: sums of embeddings. `sums` is room to count in."""
    _add_content(row.one_shot_content, events, marks, ONE_SHOT, sums)
    _add_content(row.wrapped_content, events, marks, WRAPPED, sums)
    _add_content(row.harvest_content, events, marks, STRICT, sums)


@part
def _add_content(content: Record, events: Events, marks: Marks, chosen: int, sums: Counts) -> None:
    """Add to sums, which are halved until they fit: the mean stays, the past counts less."""
    sums[:] = 0
    added = 0
    for at in range(len(events)):
        if marks[at] & chosen:
            added += 1
            for i in range(EMBEDDING):
                sums[i] += events[at].embedding[i]
    if added == 0:
        return
    total, halvings = content.count + added, 0
    while total > FULL_CONTENT:
        total, halvings = total >> 1, halvings + 1
    for i in range(EMBEDDING):
        content.sum[i] = (content.sum[i] + sums[i]) >> halvings
    content.count = total


@part
def _bucket(hashed: Number) -> Number:
    return mixed(hashed) % np.uint64(TEMPLATE_BUCKETS)


@part
def _word_bit(event: Record, n: int) -> Number:
    return mixed(np.int64(event.minhash[n]) + (n << 32)) % np.uint64(BITS)


@part
def _text_bit(event: Record, n: int) -> Number:
    return mixed(event.text_hash ^ (n + 1 << 53)) % np.uint64(BITS)


@part
def _holds(bits: Filter, at: Number) -> Number:
    return bits[at >> np.uint64(3)] >> (at & np.uint64(7)) & np.uint64(1) != 0


@part
def _set(bits: Filter, at: Number) -> None:
    bits[at >> np.uint64(3)] |= np.uint8(1 << (at & np.uint64(7)))


@part
def _empty_if_full(bits: Filter) -> None:
    if _filled(bits) > BITS // 2:
        bits[:] = 0


@part
def _filled(bits: Filter) -> int:
    """How many bits are set."""
    found = 0
    for word in bits.view(np.uint64):
        left = word
        while left:  # which the compiler knows to be one instruction
            left &= left - np.uint64(1)
            found += 1
    return found
