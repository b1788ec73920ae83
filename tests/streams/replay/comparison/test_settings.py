"""What differs between two configurations, and what may not."""

from __future__ import annotations

from typing import Any

import pytest
from stillwatch_models.config import EngineConfig, PolicyConfig
from stillwatch_schemas.errors import ConfigError
from stillwatch_streams.replay.comparison.settings import refuse_incomparable, settings_that_differ
from stillwatch_streams.settings import ServiceSettings, Settings, SourceSettings

NAMES = ("A.toml", "B.toml")
OTHER = Settings(engine=EngineConfig(seed=8))


def test_only_what_differs_is_named_with_its_section() -> None:
    a = EngineConfig(seed=1)
    b = EngineConfig(seed=2, policy=PolicyConfig(mode="enforce"), disabled_signals=("volume",))
    assert {one.setting: (one.a, one.b) for one in settings_that_differ(a, b)} == {
        "engine.seed": (1, 2),
        "engine.policy.mode": ("shadow", "enforce"),
        "engine.disabled_signals": ((), ("volume",)),
    }


def test_the_same_engine_settings_are_nothing_to_compare() -> None:
    elsewhere = Settings(service=ServiceSettings(http_port=1))
    with pytest.raises(ConfigError, match=r"A.toml and B.toml give the same engine settings \(hash \w{12}\)"):
        refuse_incomparable([Settings(), elsewhere], NAMES)


@pytest.mark.parametrize(
    "source", [{"format": "litellm"}, {"sketch_key": "k"}, {"partitions": 9}, {"allowed_skew_seconds": 1.0}]
)
def test_settings_that_decide_what_is_read_must_agree(source: dict[str, Any]) -> None:
    (field,) = source
    changed = Settings(engine=OTHER.engine, source=SourceSettings(**source))
    with pytest.raises(ConfigError, match=rf"source.{field} differs between A.toml and B.toml: the input is read once"):
        refuse_incomparable([Settings(), changed], NAMES)


def test_other_engines_on_the_same_input_may_be_compared() -> None:
    refuse_incomparable([Settings(), OTHER], NAMES)
