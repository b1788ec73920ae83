"""Clumps: what joins accounts, and what must not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from stillwatch_models.campaigns.clumps import Clump, clumps
from stillwatch_models.campaigns.known import KnownAccount, Sample
from stillwatch_schemas.signals import Content
from support.profiling import content, crowd, direction, known, make_profile

NOWHERE = np.zeros(32)


def alike(count: int, **fields: Any) -> list[KnownAccount]:
    """Accounts of different organisations that ask about the same."""
    return [known(make_profile(n, direction(n, near=1), **fields)) for n in range(count)]


def found(accounts: list[KnownAccount]) -> list[Clump]:
    others = [known(profile) for profile in crowd()]
    return clumps(sorted([*accounts, *others], key=lambda each: each.profile.account), NOWHERE)


def test_accounts_that_ask_about_the_same_are_a_clump_of_just_themselves() -> None:
    one_shot, harvest = found(alike(6))
    assert one_shot.members == harvest.members == tuple(f"acct-{n:03d}" for n in range(6))
    assert (one_shot.test.name, harvest.test.name) == ("one_shot_clump", "harvest_clump")
    assert one_shot.cosine > 0.8
    assert abs(one_shot.usual_cosine) < 0.2


def test_a_crowd_is_no_clump() -> None:
    assert found([]) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"org": 7},  # one customer with many accounts
        {"first_seen_ms": 10**13, "blocks": 4},  # began today
        {"blocks": 2},
    ],
)
def test_what_keeps_accounts_from_being_compared_at_all(fields: dict[str, Any]) -> None:
    assert found(alike(6, **fields)) == []


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({"one_shot_share": 0.5}, ["harvest_clump"]),  # half talk
        ({"answer_tokens": 5.0}, ["harvest_clump"]),
        ({"repeat_share": 0.5}, ["harvest_clump"]),
        ({"template_share": 0.9}, ["harvest_clump"]),
        ({"nats": -1.0}, ["one_shot_clump"]),
        ({"harvest": 10}, ["one_shot_clump"]),
        ({"harvested": Content()}, ["one_shot_clump"]),
        ({"one_shot": content(direction(5), length=0.9)}, ["harvest_clump"]),  # one text over and over
    ],
)
def test_each_test_asks_for_its_own_marks(fields: dict[str, Any], left: list[str]) -> None:
    assert [clump.test.name for clump in found(alike(6, **fields))] == left


def test_a_constant_wrapper_hides_nothing() -> None:
    wrapped = [
        known(
            make_profile(
                n,
                template_share=1.0,
                harvest=0,
                wrapped=70,
                wrapped_one_shot=content(direction(n, near=1)),
            )
        )
        for n in range(6)
    ]
    assert [clump.test.name for clump in found(wrapped)] == ["wrapped_clump"]


def test_one_operation_drives_its_accounts_at_one_pace() -> None:
    slow, fast = alike(8)[:4], alike(8, events=640)[4:]
    clumps_found = [clump.members for clump in found([*slow, *fast]) if clump.test.name == "one_shot_clump"]
    assert clumps_found == [
        tuple(each.profile.account for each in slow),
        tuple(each.profile.account for each in fast),
    ]


def sample(*values: int) -> Sample:
    return np.array(sorted(values), np.uint64)


def test_accounts_that_send_the_same_texts_exonerate_each_other() -> None:
    benchmark = sample(*range(40))
    same = [known(each.profile, texts=benchmark) for each in alike(6)]
    assert found(same) == []
    own = [known(each.profile, texts=sample(*range(100 * n, 100 * n + 40))) for n, each in enumerate(alike(6))]
    assert len(found(own)) == 2


def test_a_few_texts_in_common_exonerate_nobody() -> None:
    """Accounts that work through one list share a little; half of an account's texts is another matter."""
    some = [
        known(each.profile, texts=sample(*range(5), *range(100 * n + 100, 100 * n + 135)))
        for n, each in enumerate(alike(4))
    ]
    assert len(found(some)) == 2


def test_viral_texts_keep_an_account_out_of_the_one_shot_test() -> None:
    viral = [
        known(each.profile, texts=sample(*range(4), *range(100 * n + 100, 100 * n + 136)))
        for n, each in enumerate(alike(6))
    ]
    assert [clump.test.name for clump in found(viral)] == ["harvest_clump"]


def test_a_fixed_first_word_needs_rare_passages_in_common() -> None:
    fixed = {"opening_share": 1.0, "harvest": 0, "harvested": Content()}
    assert found(alike(5, **fixed)) == []
    source = [
        known(each.profile, shingles=sample(*range(30), *range(1000 * n + 1000, 1000 * n + 1070)))
        for n, each in enumerate(alike(5, **fixed))
    ]
    (clump,) = found(source)
    assert clump.members == tuple(f"acct-{n:03d}" for n in range(5))
    assert clump.passages > 0
    everybody = [known(each.profile, shingles=sample(*range(30))) for each in alike(5, **fixed)]
    popular = [known(profile, shingles=sample(*range(30))) for profile in crowd(first=500)]
    assert clumps([*everybody, *popular], NOWHERE) == []


def test_an_account_with_three_neighbours_joins_a_little_further_out() -> None:
    near = [known(make_profile(n, direction(n, near=1, spread=0.2))) for n in range(6)]
    centre = direction(10_001)
    aside = direction(50) - (direction(50) @ centre) * centre
    aside /= np.linalg.norm(aside)
    outside = known(make_profile(90, 0.78 * centre + np.sqrt(1 - 0.78**2) * aside))
    members = {clump.test.name: clump.members for clump in found([*near, outside])}
    assert "acct-090" in members["one_shot_clump"]
    far = known(make_profile(90, 0.6 * centre + 0.8 * aside))
    assert all("acct-090" not in clump.members for clump in found([*near, far]))


def test_thousands_of_accounts_are_compared_in_pieces() -> None:
    many = [known(make_profile(n, direction(n, near=n % 2))) for n in range(1_500)]
    one_shot = [clump for clump in clumps(many, NOWHERE) if clump.test.name == "one_shot_clump"]
    assert sorted(len(clump.members) for clump in one_shot) == [750, 750]
