"""The demo's world: history ends where the live part begins, both equally fast, and settings survive TOML."""

from __future__ import annotations

import tomllib
from itertools import islice, pairwise

import msgspec
import pytest
from stillwatch_agents.demo.world import World, as_toml, engine_config
from stillwatch_models.config import EngineConfig
from support.builders import T0


@pytest.fixture(scope="module")
def world() -> World:
    world = World(seed=1, speed=60.0)
    world.prepare()
    return world


def test_history_ends_and_live_begins_at_the_same_moment(world: World) -> None:
    past = [labelled.event.ts for labelled in world.history(T0)]
    live = [labelled.event.ts for labelled in islice(world.live(T0), 2_000)]
    assert past[0] >= T0 - 34.1 * 60_000, "34 hours in 34 minutes"
    assert past[-1] <= T0 <= live[0]
    assert all(earlier <= later for earlier, later in pairwise(past + live))


def test_history_has_the_beginning_of_both_campaigns(world: World) -> None:
    counts: dict[str | None, int] = {}
    for labelled in world.history(T0):
        counts[labelled.campaign_id] = counts.get(labelled.campaign_id, 0) + 1
    assert set(counts) == {None, "loud", "quiet"}
    assert counts["loud"] + counts["quiet"] < 0.2 * counts[None]


def test_truth_is_known_of_every_account(world: World) -> None:
    assert {labelled.event.account_id for labelled in world.history(T0)} <= set(world.truth)


@pytest.mark.parametrize("speed", [1.0, 60.0, 600.0])
def test_the_engine_section_reads_back_as_written(speed: float) -> None:
    config = engine_config(speed)
    document = tomllib.loads(as_toml("engine", msgspec.to_builtins(config)))
    assert msgspec.convert(document["engine"], EngineConfig) == config
    assert config.policy.mode == "enforce"
