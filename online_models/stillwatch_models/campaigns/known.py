"""What the campaign agent knows of each account: its latest profile, and bounded samples of what it asked.

Samples are coordinated: of all hashes that the account shards sample, the smallest after mixing are kept. Whoever sends
a text, it lies in the same place of that order, so two accounts' samples can be compared as far as both reach.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.signals import Profile

from stillwatch_models.distinct import mix

TEXTS_KEPT = 64
SHINGLES_KEPT = 256

Sample = NDArray[np.uint64]
EMPTY: Sample = np.zeros(0, np.uint64)


class KnownAccount(msgspec.Struct):
    """One account; samples are ascending."""

    profile: Profile
    texts: Sample
    shingles: Sample


class _Row(msgspec.Struct):
    """How it is kept in a checkpoint: samples as little-endian bytes."""

    profile: Profile
    texts: bytes = b""
    shingles: bytes = b""


def add_sample(kept: Sample, hashes: list[int], most: int) -> Sample:
    """The smallest `most` of what is kept and what comes in, mixed."""
    if not hashes:
        return kept
    return np.union1d(kept, mix(np.array(hashes, np.int64)))[:most]


def dump(known: KnownAccount) -> bytes:
    """A checkpoint row."""
    return msgspec.json.encode(
        _Row(known.profile, known.texts.astype("<u8").tobytes(), known.shingles.astype("<u8").tobytes())
    )


def load(row: bytes) -> KnownAccount:
    """The account that was dumped."""
    kept = msgspec.json.decode(row, type=_Row)
    return KnownAccount(
        kept.profile, np.frombuffer(kept.texts, "<u8").copy(), np.frombuffer(kept.shingles, "<u8").copy()
    )
