"""Profiles of accounts, for tests of what is found by comparing them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from stillwatch_models.campaigns.known import EMPTY, KnownAccount, Sample
from stillwatch_models.config import EngineConfig
from stillwatch_schemas.signals import Content, EpochClosed, Profile, Samples
from support.builders import T0

HOUR = 3_600_000
PANE_MS = 10_000
EPOCH_PANES = 360
FIRST_EPOCH = T0 // HOUR
CONFIG = EngineConfig()
VOTES = 200


def direction(seed: int, *, near: int | None = None, spread: float = 0.35) -> NDArray[np.float64]:
    """A unit vector; with `near`, one that nearly agrees with all others near the same number."""
    own = np.random.default_rng(seed).standard_normal(32)
    own /= np.linalg.norm(own)
    if near is None:
        return own
    mixed = np.asarray(direction(10_000 + near) + spread * own)
    return np.asarray(mixed / np.linalg.norm(mixed))


def content(towards: NDArray[np.float64], count: int = 40, length: float = 0.3) -> Content:
    """Requests whose mean embedding points there."""
    sums = np.rint(towards * length * count * 127).astype("<i2")
    return Content(count=count, embedding=sums.tobytes())


def make_profile(number: int, towards: NDArray[np.float64] | None = None, epoch: int = 0, **fields: Any) -> Profile:
    """An account that asks one-shot questions, half of them harvest events, about something of its own."""
    asked = content(direction(number) if towards is None else towards)
    pane = (FIRST_EPOCH + epoch) * EPOCH_PANES + 7
    defaults: dict[str, Any] = {
        "account": f"acct-{number:03d}",
        "source": 0,
        "pane": pane,
        "pane_end_ms": (pane + 1) * PANE_MS,
        "first_seen_ms": T0 - 24 * HOUR,
        "events": 80,
        "blocks": 20,
        "answers": 80,
        "harvest": 40,
        "wrapped": 0,
        "nats": 3.0,
        "one_shot_share": 1.0,
        "repeat_share": 0.0,
        "shared_share": 0.0,
        "opening_share": 0.2,
        "template_share": 0.1,
        "answer_tokens": 200.0,
        "one_shot": asked,
        "harvested": asked,
        "org": 1_000 + number,
        "event_ids": (f"ev-{number}-a", f"ev-{number}-b"),
    }
    return Profile(**(defaults | fields))


def known(profile: Profile, texts: Sample = EMPTY, shingles: Sample = EMPTY) -> KnownAccount:
    """The profile with samples, given ascending."""
    return KnownAccount(profile, texts, shingles)


def closed(epoch: int, source: int = 0) -> EpochClosed:
    """The end of an epoch; ordinary traffic points nowhere."""
    return EpochClosed(
        source=source,
        epoch=FIRST_EPOCH + epoch,
        epoch_end_ms=(FIRST_EPOCH + epoch + 1) * HOUR,
        known_accounts=5_000,
        accounts=VOTES,
        content=(0.0,) * 32,
    )


def samples(epoch: int, **texts: list[int]) -> Samples:
    """Texts that accounts (written with underscores) sent; all of them in the sample."""
    pane = (FIRST_EPOCH + epoch) * EPOCH_PANES + 9
    sent = [(account.replace("_", "-"), text) for account, some in texts.items() for text in some]
    return Samples(
        source=0,
        pane=pane,
        pane_end_ms=(pane + 1) * PANE_MS,
        accounts=tuple(account for account, _ in sent),
        texts=tuple(text for _, text in sent),
        shingles=tuple(() for _ in sent),
    )


def crowd(count: int = 40, first: int = 100) -> list[Profile]:
    """Accounts that have nothing to do with each other."""
    return [make_profile(first + number) for number in range(count)]
