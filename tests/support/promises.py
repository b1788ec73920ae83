"""The promises of every shard, checked with whatever traffic a test has: batches and crashes change nothing."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence

import msgspec
from hypothesis import Phase
from hypothesis import strategies as st
from stillwatch_models.engine import AccountEngine
from stillwatch_models.shard import Checkpoint, Outputs
from stillwatch_schemas.findings import Finding
from stillwatch_schemas.signals import Contribution, EpochClosed, ProfileSignal, Samples, Signal
from support.traffic import Item, run, small_config

SEEDS = st.integers(0, 10_000)
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
"""A seed does not get simpler by getting smaller."""


class CheckpointLog:
    """All checkpoints of a shard together, as a restore gets them."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}

    def add(self, saved: Checkpoint | None) -> None:
        for key, row in saved.rows.items() if saved else ():
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row


def any_split_gives_the_same_bytes(items: Sequence[Item], seed: int) -> None:
    """What an account engine says and keeps, fed at once or in batches whose sizes `seed` chooses."""
    whole, pieces = AccountEngine(small_config(), 0), AccountEngine(small_config(), 0)
    one = run(whole, items, itertools.repeat(len(items)))
    many = run(pieces, items, _random_sizes(seed))
    same_outputs(many, one)
    same_state(pieces, whole)


def a_crash_changes_nothing(items: Sequence[Item], cut: int) -> None:
    """An account engine that dies after `cut` items, with a checkpoint just taken, against one that lives on."""
    clean = AccountEngine(small_config(), 0)
    expected = run(clean, items, itertools.repeat(50))

    first, log = AccountEngine(small_config(), 0), CheckpointLog()
    before = run(first, items[:cut], itertools.repeat(13))
    saved = first.checkpoint()
    assert saved is not None
    log.add(saved)
    survivor = AccountEngine(small_config(), 0)
    offset = survivor.restore(log.rows)
    assert offset == saved.next_offset <= cut
    after = run(survivor, items, itertools.repeat(31), start=offset)

    same_state(survivor, clean)
    assert _by_uid(before, after) == _by_uid(expected)


def checkpoints_add_up(items: Sequence[Item]) -> None:
    """An account engine's checkpoints together are its snapshot, though accounts are forgotten between them."""
    engine, log = AccountEngine(small_config(max_entities=12, idle_evict_seconds=30.0), 0), CheckpointLog()
    for start in range(0, len(items), 60):
        run(engine, items[: start + 60], itertools.repeat(60), start=start)
        log.add(engine.checkpoint())
    assert log.rows == engine.snapshot()


def same_outputs(one: Outputs, other: Outputs) -> None:
    """Of two account engines that were fed in different portions; how messages are cut may differ with them."""
    assert msgspec.json.encode(one.findings) == msgspec.json.encode(other.findings)
    assert _contributions(one.signals) == _contributions(other.signals)
    assert _profiles(one.profiles) == _profiles(other.profiles)
    assert _sampled(one.profiles) == _sampled(other.profiles)


def same_state(one: AccountEngine, other: AccountEngine) -> None:
    assert one.snapshot() == other.snapshot()
    assert list(one.accounts()) == list(other.accounts())


def _by_uid(*outputs: Outputs) -> dict[str, Finding]:
    """Findings by the id of their message: what is said twice counts once."""
    return {finding.alert_uid: finding for out in outputs for finding in out.findings}


def _contributions(messages: Sequence[Signal]) -> list[Contribution]:
    """Without the progress marks, of which every batch that closes a pane says one."""
    return [message for message in messages if isinstance(message, Contribution)]


def _profiles(messages: Sequence[ProfileSignal]) -> list[ProfileSignal]:
    """All but samples, and marks of epochs before anybody was known: the first batch decides whether one is said."""
    return [
        message
        for message in messages
        if not isinstance(message, Samples) and not (isinstance(message, EpochClosed) and not message.known_accounts)
    ]


def _sampled(messages: Sequence[ProfileSignal]) -> list[tuple[object, ...]]:
    """Every sampled request, whatever the messages that it came in."""
    samples = [message for message in messages if isinstance(message, Samples)]
    return [row for some in samples for row in zip(some.accounts, some.texts, some.shingles, strict=True)]


def _random_sizes(seed: int) -> Iterator[int]:
    """Endless batch sizes, small and large."""
    rng = random.Random(seed)
    while True:
        yield rng.choice([1, 2, 7, 50, 400])
