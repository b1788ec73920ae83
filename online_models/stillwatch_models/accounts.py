"""Per-account state as columns: one fixed-size row an account, in one array, dumped and restored byte for byte.

A row holds sums that fade by event time, small histograms, HyperLogLog registers and the account's evidence so far;
about two kilobytes, whatever the account does, and much less while it has done little: what is hot stands in one array
for all accounts, the bodies are kept without their zeros (`bodies`) in another (`body_store`). Rows change only when a
pane closes (`fold`), so a checkpoint at a pane's end is simply the rows that were touched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from stillwatch_models.bodies import WORD, Words
from stillwatch_models.body_store import BodyStore, Slots
from stillwatch_models.columns import EMBEDDING
from stillwatch_models.distinct import REGISTERS
from stillwatch_models.records import put, take

SUMS = (
    "events",
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "log_chars",
    "log_chars_squared",
    "log_output",
    "log_output_squared",
    "texts",
    "one_shot",
    "follow_ups",
    "system",
    "rides_limit",
    "failed",
    "logprobs",
    "many",
    "fixed",
    "released",
    "requeried",
    "tools",
    "elicitation",
    "grading",
    "probing",
    "code",
    "gaps",
    "gap_seconds",
    "gap_seconds_squared",
    "log_gaps",
    "log_gaps_squared",
    "sessions",
)
"""What fades with the long half-life; each an exact sum over the pane before it is added."""

DISTINCT = ("texts", "templates", "cells", "conversations")
"""What is counted without repeats."""

TEMPLATE_BUCKETS = 32
FULL_BUCKET = 65_535
"""A histogram of two-byte counts is halved where one of them would pass this."""
FULL_CONTENT = 256
"""Events in a content sum before it is halved: 256 embeddings of signed bytes fit into 16 bits."""
CONTENT_FEATURES = 8
SEEN_BYTES = 256
"""Bloom filters of 2,048 bits; emptied when half full."""
HOURS = 24
MAX_DETECTORS = 16
"""Room for detector scores in a row; see `detectors.DETECTORS`."""

LOADED_AT_ONCE = 4_096
"""Rows that are put back together: more would only take memory."""

MOST_SAMPLED = 32_768
"""Accounts that are looked at once an epoch to say what accounts are like: more would only take longer."""

CONTENT = np.dtype([("sum", "i2", (EMBEDDING,)), ("count", "i2")])
"""Sum of the embeddings of some of an account's events, and of how many."""

START = np.dtype([("harvest", "i4"), ("informal_harvest", "i4"), ("answers", "i4"), ("harvest_blocks", "i4")])
"""What had been counted when the harvest test was started again; see `restarts`."""

HOT = np.dtype(
    [
        ("key", "u8"),  # hash of the account id: the order in which accounts are scored and taught
        ("pane", "i8"),  # last pane folded
        ("first_pane", "i8"),
        ("events", "i8"),  # whole life, exact
        ("taught_pane", "i8"),  # last pane in which the account taught the learners
        ("incident_pane", "i8"),  # pane that opened the incident; 0 when there is none
        ("said_pane", "i8"),  # pane of the incident's latest message
        ("first_alert_ms", "i8"),
        ("evidence", "f8"),  # of the harvest test, nats
        ("suspicion", "f8"),  # what accounts are ranked by
        ("peak", "f8"),  # greatest suspicion ever
        ("joint", "f8"),  # how unusual the account is in all signals together, nats
        ("asn", "u4"),
        ("payment", "u4"),  # hash: the latest that was known, 0 for none; so are client, net, org and system_template
        ("client", "u4"),
        ("net", "u4"),
        ("answers", "i8"),  # requests that were answered, whole life
        ("harvest", "i8"),  # harvest events, whole life
        ("informal_harvest", "i8"),  # the same without regard to capitals
        ("starts", START, (2,)),  # of the harvest test's two latest restarts, the older first
        ("one_shots", "i4"),  # requests that stand alone and are new to the account, whole life
        ("shared", "i4"),  # texts that another account sent too, whole life
        ("profiled", "i4"),  # latest epoch in which the account's profile was sent
        ("incident_tier", "i4"),  # 1-based position in incidents.TIERS; 0 when there is no incident
        ("scores", "f4", (MAX_DETECTORS,)),
    ]
)
"""What is read or written between panes and for all accounts at once."""

BODY = np.dtype(
    [
        ("first_ms", "i8"),  # event time of the first event
        ("last_ts", "i8"),
        ("output_tokens", "i8"),  # whole life, exact
        ("org", "u4"),
        ("system_template", "u4"),
        ("block", "i8"),  # latest block with an event
        ("blocks", "i8"),  # blocks with an event
        ("harvest_block", "i8"),  # latest block with a harvest event
        ("harvest_blocks", "i8"),
        ("early_events", "u4"),  # in the first seven days: the account's own frozen baseline
        ("wrapped", "i4"),  # one-shots that would be harvest events but for a template, whole life
        ("repeats", "i4"),  # texts that the account had sent before, whole life
        ("one_shot_content", CONTENT),
        ("wrapped_content", CONTENT),
        ("harvest_content", CONTENT),
        ("to_a_word", "u2"),  # always 0: a body is whole words, see `bodies`
        ("content_mean", "i2", (CONTENT_FEATURES,)),  # see `content`
        ("conversation", "u4"),  # of the latest event
        ("latest_embedding", "i1", (EMBEDDING,)),
        ("seen_words", "u1", (SEEN_BYTES,)),  # Bloom filter of MinHash values
        ("seen_texts", "u1", (SEEN_BYTES,)),  # Bloom filter of text hashes
        ("openings", "u2", (TEMPLATE_BUCKETS,)),
        ("leads", "u2", (TEMPLATE_BUCKETS,)),
        ("tails", "u2", (TEMPLATE_BUCKETS,)),
        ("fast_events", "f8"),
        ("sums", "f8", (len(SUMS),)),
        ("embedding", "f4", (EMBEDDING,)),
        ("templates", "f4", (TEMPLATE_BUCKETS,)),
        ("hours", "f4", (HOURS,)),
        ("registers", "u1", (len(DISTINCT), REGISTERS)),
    ]
)
"""What is needed only while an account's events are folded and scored. Most of it is zeros; see `bodies`."""

ROW = np.dtype(HOT.descr + BODY.descr)
"""One account. Changing this dtype changes `STATE_VERSION`."""

STATE_VERSION = 4

HOT_WORDS = HOT.itemsize // WORD
BODY_WORDS = BODY.itemsize // WORD

Rows = NDArray[np.void]

SUM_INDEX: Mapping[str, int] = {name: i for i, name in enumerate(SUMS)}


def key_of(account_id: str) -> int:
    """64-bit hash of an account id."""
    digest = hashlib.blake2b(account_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _words(rows: Rows) -> Words:
    """Records as rows of words."""
    return rows.view(np.uint64).reshape(-1, rows.itemsize // WORD)


class AccountTable:
    """Rows by account id. A slot is known from the first event on; its row counts once a pane was folded into it."""

    def __init__(self, capacity: int = 1024) -> None:
        self.rows: Rows = np.zeros(capacity, HOT)
        self._bodies = BodyStore(BODY_WORDS)
        self.ids: list[str | None] = []
        self._slots: dict[str, int] = {}
        self._free: list[int] = []
        self.dirty: set[int] = set()
        self._deleted: set[str] = set()
        self.live = 0
        """Rows with at least one folded event."""

    def slots(self, account_ids: Sequence[str]) -> list[int]:
        """Slot of each account, made where it is new."""
        known = self._slots
        try:
            return [known[account] for account in account_ids]
        except KeyError:
            new = list(dict.fromkeys(account for account in account_ids if account not in known))
            added = self._add(new)
            self.rows["key"][added] = [key_of(account) for account in new]
            return [known[account] for account in account_ids]

    def _add(self, account_ids: Sequence[str]) -> Slots:
        """Slots for accounts that have none: those that are free, then new ones at the end."""
        used_again = [self._free.pop() for _ in range(min(len(account_ids), len(self._free)))]
        slots = [*used_again, *range(len(self.ids), len(self.ids) + len(account_ids) - len(used_again))]
        for slot, account_id in zip(used_again, account_ids, strict=False):
            self.ids[slot] = account_id
        self.ids.extend(account_ids[len(used_again) :])
        self._slots.update(zip(account_ids, slots, strict=True))
        self._make_room()
        return np.array(slots, np.intp)

    def _make_room(self) -> None:
        """Twice the room, or as much as it takes; what is not used yet is not touched, and so takes no memory."""
        if len(self.ids) > len(self.rows):
            rows = np.zeros(max(2 * len(self.rows), len(self.ids)), HOT)
            put(rows, np.arange(len(self.rows)), self.rows)
            self.rows = rows

    def gather(self, slots: Slots) -> Rows:
        """Whole rows of these accounts, as copies."""
        out = np.empty((len(slots), HOT_WORDS + BODY_WORDS), np.uint64)
        out[:, :HOT_WORDS] = _words(take(self.rows, slots))
        self._bodies.read(slots, out, HOT_WORDS)
        return out.view(ROW)[:, 0]

    def row(self, slot: int) -> Rows:
        """One account's whole row, as a copy."""
        whole: Rows = self.gather(np.array([slot]))[0]
        return whole

    def put(self, slots: Slots, rows: Rows) -> None:
        """Write whole rows; no slot may be named twice."""
        words = _words(rows)
        put(self.rows, slots, np.ascontiguousarray(words[:, :HOT_WORDS]).view(HOT)[:, 0])
        self._bodies.write(slots, words, HOT_WORDS)

    def account(self, slot: int) -> str:
        """Account id in a slot."""
        account_id = self.ids[slot]
        if account_id is None:
            raise KeyError(slot)
        return account_id

    def note_alert(self, account_id: str, ts: int) -> None:
        """Remember the earliest alert about an account that is known."""
        slot = self._slots.get(account_id)
        if slot is None or not self.rows["events"][slot]:
            return
        known = int(self.rows["first_alert_ms"][slot])
        if not known or ts < known:
            self.rows["first_alert_ms"][slot] = ts
            self.dirty.add(slot)

    def find(self, account_id: str) -> int | None:
        """Slot of an account with folded events; None for any other."""
        slot = self._slots.get(account_id)
        return slot if slot is not None and self.rows["events"][slot] else None

    def slots_of_keys(self, keys: NDArray[np.uint64]) -> Slots:
        """Slots of the accounts with these keys; -1 where there is none with folded events."""
        used = self.used()
        if not len(used):
            return np.full(len(keys), -1)
        known = self.rows["key"][used]
        order = np.argsort(known)
        at = order[np.minimum(np.searchsorted(known, keys, sorter=order), len(order) - 1)]
        return np.where(known[at] == keys, used[at], -1)

    def used(self) -> Slots:
        """Slots of all accounts with folded events."""
        return np.flatnonzero(self.rows["events"][: len(self.ids)] > 0)

    def sample(self, slots: Slots) -> Slots:
        """These slots; of very many those with the least keys, which are hashes: a fair sample that lasts."""
        if len(slots) <= MOST_SAMPLED:
            return slots
        return np.sort(slots[np.argpartition(self.rows["key"][slots], MOST_SAMPLED)[:MOST_SAMPLED]])

    def evict(self, slots: Slots, keep_slots: set[int]) -> None:
        """Forget rows. A slot that open events still point at keeps its place and starts again from nothing."""
        for slot in slots.tolist():
            account_id = self.account(slot)
            self.dirty.discard(slot)
            self._deleted.add(account_id)
            self.rows[slot] = np.zeros((), HOT)
            if slot in keep_slots:
                self.rows["key"][slot] = key_of(account_id)
            else:
                del self._slots[account_id]
                self.ids[slot] = None
                self._free.append(slot)
        self._bodies.clear(slots)
        self.live -= len(slots)

    def take_dirty(self) -> Iterator[tuple[str, bytes | None]]:
        """Changed rows as bytes (None: deleted) in key order; they become clean."""
        deleted, self._deleted = self._deleted, set()
        dirty, self.dirty = sorted(self.dirty), set()
        changed = dict(self._dump(np.array(dirty, np.intp)))
        for account_id in sorted(deleted - changed.keys()):
            yield account_id, None
        yield from sorted(changed.items())

    def dump(self) -> Iterator[tuple[str, bytes]]:
        """All rows as bytes, in key order."""
        return iter(sorted(self._dump(self.used())))

    def _dump(self, slots: Slots) -> Iterator[tuple[str, bytes]]:
        """Rows as bytes: what is hot, and the packed body."""
        hot, size = take(self.rows, slots).tobytes(), HOT.itemsize
        for at, (slot, body) in enumerate(zip(slots.tolist(), self._bodies.packed(slots), strict=True)):
            yield self.account(slot), hot[at * size : (at + 1) * size] + body

    def load(self, account_ids: Sequence[str], rows: Sequence[bytes]) -> None:
        """Put back dumped rows, of accounts that are not known."""
        slots = self._add(account_ids)
        for first in range(0, len(rows), LOADED_AT_ONCE):
            some, into = rows[first : first + LOADED_AT_ONCE], slots[first : first + LOADED_AT_ONCE]
            self._bodies.load(into, [row[HOT.itemsize :] for row in some])
            put(self.rows, into, np.frombuffer(b"".join(row[: HOT.itemsize] for row in some), HOT))
        self.live += len(rows)


class AccountRow(msgspec.Struct, frozen=True):
    """What replay reports of one account: a row of accounts.csv."""

    account_id: str
    score: float
    max_score: float
    first_alert_ts: int | None
    campaign_id: str | None
    events: int
