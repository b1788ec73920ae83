"""Each group detector has a scenario that must fire it, a look-alike that must not, and explains itself in numbers."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from river import stats
from scipy.stats import binom, chi2
from stillwatch_models.detectors.groups import GROUP_DETECTORS, GroupDetector, Reading, View
from stillwatch_models.detectors.groups.base import LEAST_NATS, Surroundings, binomial_nats
from stillwatch_models.detectors.groups.hand_over import log_ratio
from stillwatch_models.detectors.groups.surge import FADING_FACTOR
from stillwatch_models.group_kinds import KINDS

BY_NAME = {detector.name: detector for detector in GROUP_DETECTORS}
HISTORY = 144
SEEDS = range(20)


def view(**overrides: Any) -> View:
    """A quiet window of a payment instrument, in a population of a thousand groups with two accounts each."""
    fields: dict[str, Any] = {
        "kind": "payment",
        "arrivals": 0,
        "accounts": 1,
        "events": 3,
        "fresh": 0,
        "together": 0,
        "expected": 0.0,
        "active": {"a"},
        "complete": True,
        "before": {"a"},
        "silence": 0,
        "size": 2.0,
        "created": (),
        "births": dict.fromkeys(range(19_000, 19_100), 50),
        "around": Surroundings(together=1_000, expected=1_000),
        "newcomers": 40.0,
        "known": 2_000,
        "windows": 1_000,
        "history": HISTORY,
    }
    return View(**(fields | overrides))


def arrivals(numbers: Iterator[int]) -> list[View]:
    return [view(arrivals=number) for number in numbers]


def surge(rng: random.Random) -> list[View]:
    """Forty accounts at once where one or two used to come."""
    return [*arrivals(rng.choice([0, 1, 2]) for _ in range(200)), view(arrivals=40)]


def growth(rng: random.Random) -> list[View]:
    """A carrier that grows, day by day, and has its mornings."""
    return arrivals(rng.randrange(window // 8 + 1) + (window % 144 == 50) * 3 for window in range(400))


def new_card(rng: random.Random) -> list[View]:
    """Seven accounts never seen before on a card nobody knew."""
    return [view(fresh=rng.choice([1, 2]), size=float(n + 1)) for n in range(6)]


def newcomers_like_others(rng: random.Random) -> list[View]:
    """A large reseller, with a share of the newcomers that its size explains."""
    fresh = [rng.random() < 0.14 for _ in range(HISTORY)]  # about twenty a day, as two hundred of four thousand
    return [view(kind="client", fresh=int(f), size=400.0, newcomers=200.0, known=4_000) for f in fresh]


def in_step(rng: random.Random) -> list[View]:
    """Accounts that one scheduler starts: always the same panes."""
    return [view(together=rng.choice([2, 3, 4]), expected=1.0, accounts=4) for _ in range(100)]


def independent(rng: random.Random) -> list[View]:
    """Sessions of people: bursts of coincidences and long stretches without any, one on average."""
    return [view(together=rng.choice([0] * 9 + [10]), expected=1.0, accounts=4) for _ in range(400)]


def relay(rng: random.Random) -> list[View]:
    """Two of a pool at a time; each window both are replaced."""
    pool = [f"p{i}" for i in range(10)]
    teams = [set(rng.sample(pool[:5] if n % 2 else pool[5:], 2)) for n in range(120)]
    return [view(active=now, before=before) for before, now in pairwise(teams)]


def colleagues(rng: random.Random) -> list[View]:
    """Eight people who come and go each for themselves."""
    presence = [{f"p{i}" for i in range(8) if rng.random() < 0.4} for _ in range(400)]
    return [view(active=now, before=before) for before, now in pairwise(presence)]


def constant_load(rng: random.Random) -> list[View]:
    """A queue with a fixed rate over five accounts."""
    return [view(events=40 + rng.choice([-1, 0, 1]), accounts=5) for _ in range(60)]


def poisson_load(rng: random.Random) -> list[View]:
    """Independent requests; real traffic is burstier."""
    draw = np.random.default_rng(rng.randrange(10**6))
    return [view(events=int(draw.poisson(40)), accounts=5) for _ in range(60)]


def batch(rng: random.Random) -> list[View]:
    """Twelve accounts of one card, created on one day."""
    return [view(arrivals=1, created=(19_050,) * 12 + (rng.randrange(19_000, 19_100),))]


def customers(rng: random.Random) -> list[View]:
    """Forty accounts of one network that signed up like everybody else."""
    return [view(arrivals=1, kind="net", created=tuple(rng.randrange(19_000, 19_100) for _ in range(40)))]


CASES: dict[str, tuple[Callable[[random.Random], list[View]], Callable[[random.Random], list[View]]]] = {
    "surge": (surge, growth),
    "fan_in": (new_card, newcomers_like_others),
    "synchrony": (in_step, independent),
    "hand_over": (relay, colleagues),
    "under_dispersion": (constant_load, poisson_load),
    "sign_up_batch": (batch, customers),
}


def strongest(detector: GroupDetector, views: list[View]) -> Reading:
    kept: tuple[float, ...] = ()
    best = Reading(0.0)
    for each in views:
        kept, reading = detector.step(kept, each)
        best = max(best, reading, key=lambda r: r.nats)
    return best


def test_every_detector_has_its_cases() -> None:
    assert set(CASES) == set(BY_NAME)
    assert all(detector.kinds <= set(KINDS) for detector in GROUP_DETECTORS)


@pytest.mark.parametrize("name", CASES)
def test_the_scenario_fires_it(name: str) -> None:
    for seed in SEEDS:
        assert strongest(BY_NAME[name], CASES[name][0](random.Random(seed))).nats >= LEAST_NATS


@pytest.mark.parametrize("name", CASES)
def test_the_look_alike_does_not(name: str) -> None:
    for seed in SEEDS:
        assert strongest(BY_NAME[name], CASES[name][1](random.Random(seed))).nats < LEAST_NATS


@pytest.mark.parametrize("name", CASES)
def test_it_explains_itself_in_numbers(name: str) -> None:
    detector = BY_NAME[name]
    reading = strongest(detector, CASES[name][0](random.Random(0)))
    statement = detector.statement("payment instrument 5f3a", reading)
    assert "payment instrument 5f3a" in statement
    assert f"{reading.observed:.0f}" in statement or f"{reading.observed:.2f}" in statement


@pytest.mark.parametrize("name", CASES)
def test_what_is_kept_stays_small(name: str) -> None:
    kept: tuple[float, ...] = ()
    for each in CASES[name][0](random.Random(1)) * 4:
        kept, _ = BY_NAME[name].step(kept, each)
    assert len(kept) <= 36


def test_the_surges_baseline_fades_as_rivers_does() -> None:
    rng = random.Random(3)
    mean, square = stats.EWMean(FADING_FACTOR), stats.EWMean(FADING_FACTOR)
    kept: tuple[float, ...] = ()
    for _ in range(50):
        number, silence = rng.randrange(9), rng.choice([0, 0, 3]) if kept else 0
        kept, _ = BY_NAME["surge"].step(kept, view(arrivals=number, silence=silence))
        for value in [0] * silence + [number]:
            mean.update(value)
            square.update(value * value)
    assert kept[1] == pytest.approx(mean.get(), rel=1e-9)
    assert kept[2] == pytest.approx(square.get(), rel=1e-9)


def test_hand_overs_ratio_has_expectation_one_under_independence() -> None:
    for switches in (2, 3, 7, 40):
        expected = sum(
            binom.pmf(starts, switches, 0.5) * math.exp(log_ratio(starts, switches - starts))
            for starts in range(switches + 1)
        )
        assert expected == pytest.approx(1.0, rel=1e-9)


def test_synchrony_is_self_normalised() -> None:
    """One window, however large, weighs at most half a nat."""
    quiet = [view(together=1, expected=1.0) for _ in range(20)]
    assert strongest(BY_NAME["synchrony"], [*quiet, view(together=10_000, expected=1.0)]).nats <= 0.5


def test_a_rhythm_that_everybody_has_counts_for_nobody() -> None:
    around = Surroundings(together=3_000, expected=1_000)
    assert strongest(BY_NAME["synchrony"], [view(together=3, expected=1.0, around=around)] * 100).nats < 1.0


def test_in_the_first_day_everybody_is_new() -> None:
    assert strongest(BY_NAME["fan_in"], [view(fresh=9, windows=HISTORY - 1)]).nats == 0.0
    assert strongest(BY_NAME["fan_in"], [view(fresh=9, newcomers=2_000.0)]).nats == 0.0


def test_hand_over_is_not_judged_where_not_everybody_is_named() -> None:
    crowd = [view(active={f"a{n}"}, before={f"a{n - 1}"}, complete=False) for n in range(200)]
    assert strongest(BY_NAME["hand_over"], crowd).nats == 0.0


def test_tails_are_those_of_the_distributions() -> None:
    assert binomial_nats(7, 9, 0.05) == pytest.approx(-binom.logsf(6, 9, 0.05), rel=1e-9)
    assert binomial_nats(0, 9, 0.05) == 0.0
    loads = [40, 41, 39, 40] * 9
    reading = strongest(BY_NAME["under_dispersion"], [view(events=load, accounts=3) for load in loads])
    mean = sum(loads) / 36
    index = sum((load - mean) ** 2 for load in loads) / mean
    assert reading.nats == pytest.approx(-chi2.logcdf(index, 35), rel=1e-6)
