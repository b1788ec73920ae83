"""Releases: what is new, for how long, and whatever the segments."""

from __future__ import annotations

import numpy as np
from stillwatch_models.columns import EVENT, Events
from stillwatch_models.model_ages import MOST_MODELS, ModelAges

FRESH = 100


def calls(*panes_and_models: tuple[int, int]) -> Events:
    """Events of these panes to these models."""
    events = np.zeros(len(panes_and_models), EVENT)
    events["pane"], events["model"] = zip(*panes_and_models, strict=True)
    return events


def test_a_model_is_a_release_for_so_many_panes_from_its_first_call() -> None:
    ages = ModelAges(FRESH)
    ages.look_up(calls((1_000, 1), (1_000, 2)))
    later = ages.look_up(calls((1_200, 1), (1_200, 3), (1_299, 3), (1_299, 2), (1_300, 3)))
    assert later.tolist() == [False, True, True, False, False]


def test_what_is_met_in_the_first_days_is_no_release() -> None:
    ages = ModelAges(FRESH)
    assert not ages.look_up(calls((1_000, 1), (1_050, 2), (1_099, 3))).any()
    assert ages.look_up(calls((1_100, 4))).all()


def test_an_unnamed_model_is_no_release() -> None:
    ages = ModelAges(FRESH)
    ages.look_up(calls((1_000, 1)))
    assert not ages.look_up(calls((5_000, 0))).any()


def test_segments_and_restarts_change_nothing() -> None:
    rng = np.random.default_rng(1)
    stream = [(1_000 + int(at), int(rng.integers(1, 3 + at // 60))) for at in np.sort(rng.integers(0, 900, 400))]
    whole, first, second = ModelAges(FRESH), ModelAges(FRESH), ModelAges(FRESH)
    expected = whole.look_up(calls(*stream))
    before = first.look_up(calls(*stream[:150]))
    second.load(first.dump())
    after = second.look_up(calls(*stream[150:]))
    assert np.concatenate([before, after]).tolist() == expected.tolist()
    assert expected.any()
    assert second.dump() == whole.dump()


def test_names_beyond_the_bound_are_no_releases() -> None:
    ages = ModelAges(FRESH)
    ages.look_up(calls(*((1_000, 1 + n) for n in range(MOST_MODELS))))
    assert not ages.look_up(calls((5_000, 10**9))).any()
