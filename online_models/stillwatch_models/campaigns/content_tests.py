"""Content tests: which accounts are compared with each other, and by which of their requests.

- `one_shot_clump`: requests that open a conversation, of accounts that do nothing else, follow no template and do not
  repeat themselves. Neither style nor evidence of the account's own is asked for.
- `harvest_clump`: harvest events only; so a campaign that mixes in innocent talk is seen as well.
- `wrapped_clump`: harvest events but for a template around them: a constant wrapper hides nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.signals import Content, Profile

from stillwatch_models.campaigns.likeness import Shared
from stillwatch_models.columns import EMBEDDING
from stillwatch_models.evidence import STRICT_BOUNDS
from stillwatch_models.features import FULL_EMBEDDING

Floats = NDArray[np.float64]

MANY_BLOCKS, FEW_BLOCKS, SEEN_AGAIN_BLOCKS = 8, 3, 12
"""An account is compared once it was active in eight hours, or in three of them if it was seen again 12 hours after
it came: what starts and ends in one working day is a job, such as an evaluation run."""
LEAST_ONE_SHOTS, LEAST_HARVESTED, LEAST_WRAPPED = 15, 8, 10
"""Requests of the kind that a test looks at, so that their mean says something."""
LEAST_ONE_SHOT_SHARE, MOST_REPEATED, MOST_TEMPLATED = 0.9, 0.25, 0.5
"""Shares of the requests of an account that asks one-shot questions and nothing else."""
MOST_VIRAL = 0.05
"""Share of its texts, at most, that five organisations or more send (`likeness`)."""
LEAST_ANSWER_TOKENS = 30
"""Shorter answers are labels or numbers."""
MOST_ALIKE = 0.62
"""Length of the mean embedding; more is one text over and over."""
LEAST_WRAPPED_SHARE = 0.55


class ContentTest(msgspec.Struct, frozen=True, kw_only=True):
    """One way to look at accounts' contents."""

    name: str
    least_cosine: float
    """Of two accounts' directions, from which on they are neighbours."""
    content: Callable[[Profile], Content]
    admits: Callable[[Profile, Shared], bool]
    words: str
    """What the requests are called in an explanation."""
    fixed_opening_needs_reason: bool = False


def _admits_one_shot(profile: Profile, shared: Shared) -> bool:
    content = profile.one_shot
    return (
        content.count >= LEAST_ONE_SHOTS
        and shared.viral <= MOST_VIRAL
        and profile.one_shot_share >= LEAST_ONE_SHOT_SHARE
        and profile.answer_tokens >= LEAST_ANSWER_TOKENS
        and profile.repeat_share <= MOST_REPEATED
        and profile.template_share < MOST_TEMPLATED
        and float(np.linalg.norm(mean_of(content))) < MOST_ALIKE
    )


def _admits_harvest(profile: Profile, shared: Shared) -> bool:  # noqa: ARG001 - the tests share one signature
    return (
        profile.harvested.count >= LEAST_HARVESTED
        and profile.nats >= 0
        and profile.harvest > STRICT_BOUNDS[0] * profile.answers
    )


def _admits_wrapped(profile: Profile, shared: Shared) -> bool:  # noqa: ARG001 - the tests share one signature
    return profile.wrapped_one_shot.count >= LEAST_WRAPPED and profile.wrapped > LEAST_WRAPPED_SHARE * profile.answers


TESTS = (
    ContentTest(
        name="one_shot_clump",
        least_cosine=0.8,
        content=lambda profile: profile.one_shot,
        admits=_admits_one_shot,
        words="one-shot requests",
        fixed_opening_needs_reason=True,
    ),
    ContentTest(
        name="harvest_clump",
        least_cosine=0.7,
        content=lambda profile: profile.harvested,
        admits=_admits_harvest,
        words="harvest events",
    ),
    ContentTest(
        name="wrapped_clump",
        least_cosine=0.8,
        content=lambda profile: profile.wrapped_one_shot,
        admits=_admits_wrapped,
        words="wrapped harvest events",
    ),
)


def mean_of(content: Content) -> Floats:
    """Mean embedding, of length 1 at most."""
    if not content.count or len(content.embedding) != 2 * EMBEDDING:
        return np.zeros(EMBEDDING)
    return np.frombuffer(content.embedding, "<i2").astype(np.float64) / (content.count * FULL_EMBEDDING)


def pace(profile: Profile) -> float:
    """Requests per active hour, in doublings."""
    return float(np.log2(profile.events / max(1, profile.blocks)))


def persists(profile: Profile, block_ms: int) -> bool:
    """Whether an account has been at it long enough to be compared; its blocks of activity are so long."""
    seen_again = profile.pane_end_ms - profile.first_seen_ms >= SEEN_AGAIN_BLOCKS * block_ms
    return profile.blocks >= MANY_BLOCKS or (profile.blocks >= FEW_BLOCKS and seen_again)
