"""What joins accounts: the rare does, what everybody has does not; families count once, hubs never."""

from __future__ import annotations

import math

import pytest
from stillwatch_models.joining import components, hub_cap, joined, pair_weight, shared_weight

POPULATION = 5_000.0


def test_the_rarer_the_more_it_says() -> None:
    weights = [shared_weight("payment", n, POPULATION) for n in (2, 5, 20, 50)]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] == pytest.approx(math.log(2_500))


@pytest.mark.parametrize(
    ("look_alike", "kind", "accounts"),
    [("office", "net", 60), ("popular SDK", "client", 900), ("class", "payment", 120), ("carrier", "asn", 2_000)],
)
def test_hubs_join_nobody(look_alike: str, kind: str, accounts: int) -> None:
    assert shared_weight(kind, accounts, POPULATION) == 0.0, look_alike


def test_in_a_small_population_hubs_are_small() -> None:
    assert hub_cap("net", 1_000) == 10
    assert hub_cap("net", 1_000_000) == 50
    assert hub_cap("net", 50) == 4
    assert shared_weight("net", 20, 1_000) == 0.0


def test_what_everybody_has_says_nothing_and_nothing_is_negative() -> None:
    assert shared_weight("payment", 3, 3) == 0.0
    assert shared_weight("payment", 3, 2) == 0.0
    assert min(shared_weight("asn", n, 100.0) for n in range(1, 200)) == 0.0


def test_of_a_family_the_rarest_counts() -> None:
    net, payment = shared_weight("net", 3, POPULATION), shared_weight("payment", 5, POPULATION)
    assert pair_weight({"net": 3, "asn": 30}, POPULATION) == pytest.approx(net)
    assert pair_weight({"net": 3, "asn": 30, "payment": 5}, POPULATION) == pytest.approx(net + payment)
    assert pair_weight({"client": 4_000}, POPULATION) == 0.0


def test_pairs_are_joined_by_what_is_rare() -> None:
    holders = {
        ("payment", "card"): ["c", "a", "b", "a"],
        ("net", "office"): ["a", "x", "y"],
        ("client", "rare"): ["a", "b"],
        ("net", "alone"): ["z"],
    }
    found = joined(holders, {("net", "office"): 400.0}, POPULATION)
    assert list(found) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert found["a", "b"] == pytest.approx(found["a", "c"] + math.log(2_500))


def test_a_crowd_costs_no_pairs() -> None:
    crowd = {("client", "sdk"): [f"a{i}" for i in range(100_000)]}
    assert joined(crowd, {}, 200_000.0) == {}


def test_components_are_sorted_and_the_lonely_are_left_out() -> None:
    pairs = [("d", "b"), ("b", "a"), ("x", "y")]
    assert components("abcdxyz", pairs) == [["a", "b", "d"], ["x", "y"]]
    assert components("abcdxyz", reversed(pairs)) == components("abcdxyz", pairs)
