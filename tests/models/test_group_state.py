"""What is kept of a group: accounts of a window wait as they were told, and come to the same however they are kept."""

from __future__ import annotations

import random

from stillwatch_models.group_state import MOST_NAMED, Member, Named, Now


def told(rng: random.Random) -> Named:
    """A few of twenty accounts; sometimes their weights, evidence and days are not said."""
    names = tuple(sorted(rng.sample([f"a{i:02}" for i in range(20)], rng.randrange(1, 6))))
    return Named(
        names,
        rng.choice([(), tuple(rng.randrange(9) for _ in names)]),
        rng.choice([(), tuple(rng.choice([0.0, -2.5, 4.0]) for _ in names)]),
        rng.choice([(), tuple(rng.choice([0, 20_000]) for _ in names)]),
    )


def test_requests_add_up_and_the_latest_word_counts() -> None:
    now = Now()
    now.meet(Named(("a", "b"), (2, 1), (1.5, 0.0), (20_000, 0)))
    now.meet(Named(("a", "c"), (3, 1), (2.5, 4.0), ()))
    assert now.members(7) == {"a": Member(7, 5, 2.5, 0), "b": Member(7, 1, 0.0, 0), "c": Member(7, 1, 4.0, 0)}


def test_however_many_contributions_name_accounts_the_members_are_the_same_and_what_waits_is_bounded() -> None:
    rng = random.Random(5)
    many = [told(rng) for _ in range(5 * MOST_NAMED)]
    now, plain = Now(), Now(named=list(many))
    for named in many:
        now.meet(named)
    assert list(now.members(3).items()) == list(plain.members(3).items())
    assert len(now.named) <= MOST_NAMED
