"""What accounts have in common word for word: too much of it exculpates, a little that nobody else has joins.

Accounts that run through the same public benchmark, assignment or viral prompt send the same texts. So an account is
left out of comparison when another organisation's account sent at least half of the same sample of texts, or when more
than one in twenty of its texts is sent by five organisations or more. Rare passages (runs of words that at most six
accounts know) say the opposite: they come from one private source.

Both are estimated from coordinated samples (Cohen and Kaplan 2007, bottom-k sketches), compared as far as both reach.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

import msgspec
import numpy as np

from stillwatch_models.campaigns.known import SHINGLES_KEPT, TEXTS_KEPT, KnownAccount, Sample

LEAST_SHARED = 3
"""Texts that two accounts must share before it says anything."""
SMALL_SAMPLE = 5
VIRAL_ORGANISATIONS = 5
WIDELY_KNOWN = 50
"""A text that more accounts know is viral; which pairs share it does not matter any more."""
RARE_HOLDERS = 6


class Shared(msgspec.Struct, frozen=True):
    """How much of its texts an account has in common with others."""

    overlap: float = 0.0
    """Share of the sample that one single account of another organisation also sent; the greatest."""
    viral: float = 0.0
    """Share of the sample that five or more organisations sent."""


def shared_texts(accounts: Sequence[KnownAccount], wanted: Sequence[bool]) -> list[Shared]:
    """For each account, in order; only the wanted ones are looked at, but everybody counts as somebody else."""
    samples = [known.texts for known in accounts]
    organisations = [organisation(known) for known in accounts]
    viral: Counter[int] = Counter()
    together: Counter[tuple[int, int]] = Counter()
    for held in _held_by_several(samples):
        ours = [at for at in held if wanted[at]]
        if not ours:
            continue
        if len({organisations[at] for at in held}) >= VIRAL_ORGANISATIONS:
            viral.update(ours)
        if len(held) <= WIDELY_KNOWN:
            together.update((at, other) for at in ours for other in held if organisations[at] != organisations[other])
    overlap = _overlaps(samples, together)
    return [Shared(overlap[at], viral[at] / max(1, len(sample))) for at, sample in enumerate(samples)]


def _held_by_several(samples: Sequence[Sample]) -> Iterator[list[int]]:
    """Of each text that several accounts hold: which."""
    texts = np.concatenate(samples)
    owners = np.repeat(np.arange(len(samples)), [len(sample) for sample in samples])
    order = np.argsort(texts, kind="stable")
    starts = np.flatnonzero(np.diff(texts[order], prepend=texts[order[:1]] + np.uint64(1)))
    sizes = np.diff(np.append(starts, len(order)))
    for start, size in zip(starts[sizes > 1].tolist(), sizes[sizes > 1].tolist(), strict=True):
        yield owners[order[start : start + size]].tolist()


def organisation(known: KnownAccount) -> str:
    """Who the account belongs to; an account without an organisation is its own."""
    return str(known.profile.org) if known.profile.org else known.profile.account


def _overlaps(samples: Sequence[Sample], together: Counter[tuple[int, int]]) -> dict[int, float]:
    """Greatest overlap of each account; `together` counts the texts that (account, other) both hold."""
    greatest: dict[int, float] = defaultdict(float)
    for (at, other), count in together.items():
        if count >= LEAST_SHARED:
            reach = min(_reach(samples[at], TEXTS_KEPT), _reach(samples[other], TEXTS_KEPT))
            within = int(np.searchsorted(samples[at], reach, side="right"))
            greatest[at] = max(greatest[at], count / max(SMALL_SAMPLE, within))
    return greatest


def _reach(sample: Sample, most: int) -> np.uint64:
    """How far a sample tells: a full one ends where it was cut."""
    return np.uint64(sample[-1]) if len(sample) >= most else np.uint64(2**64 - 1)


class RarePassages:
    """How much of their rare shingles two accounts share, by their positions."""

    def __init__(self, accounts: Sequence[KnownAccount]) -> None:
        self._samples = [known.shingles for known in accounts]
        self._together: Counter[tuple[int, int]] = Counter()
        for held in _held_by_several(self._samples):
            if len(held) <= RARE_HOLDERS:
                self._together.update(combinations(sorted(held), 2))

    def share(self, one: int, other: int) -> float:
        """Rare shingles that both hold, of the smaller sample as far as both reach; 0 to 1."""
        rare = self._together[min(one, other), max(one, other)]
        if not rare:
            return 0.0
        samples = self._samples[one], self._samples[other]
        reach = min(_reach(sample, SHINGLES_KEPT) for sample in samples)
        return rare / min(int(np.searchsorted(sample, reach, side="right")) for sample in samples)
