"""What differs between two configurations, and whether they can share one reading of the input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from stillwatch_models.config import EngineConfig
from stillwatch_schemas.errors import ConfigError

from stillwatch_streams.settings import Settings

SHARED = ("format", "sketch_key", "partitions", "allowed_skew_seconds")
"""Settings of the section `source` that decide what is read: the input is read once, so they must be equal."""


class SettingDifference(msgspec.Struct, frozen=True):
    """One engine setting that differs."""

    setting: str
    """As in the file, such as `engine.seed`."""
    a: Any
    b: Any


def settings_that_differ(a: EngineConfig, b: EngineConfig) -> tuple[SettingDifference, ...]:
    """Every engine setting that differs, in the order of the settings."""
    return tuple(_differences("engine", a, b))


def _differences(section: str, a: msgspec.Struct, b: msgspec.Struct) -> Iterator[SettingDifference]:
    for field in a.__struct_fields__:
        one, other = getattr(a, field), getattr(b, field)
        if isinstance(one, msgspec.Struct):
            yield from _differences(f"{section}.{field}", one, other)
        elif one != other:
            yield SettingDifference(f"{section}.{field}", one, other)


def refuse_incomparable(settings: Sequence[Settings], names: Sequence[str]) -> None:
    """Raise ConfigError where both are the same to the detector, or would read the input differently."""
    a, b = settings
    if a.engine == b.engine:
        raise ConfigError(
            f"{names[0]} and {names[1]} give the same engine settings (hash {a.engine.hash()}): there is nothing to"
            " compare. Change a setting of [engine] in one of them; variables STILLWATCH_ENGINE__... override both"
        )
    for field in SHARED:
        if getattr(a.source, field) != getattr(b.source, field):
            raise ConfigError(
                f"source.{field} differs between {names[0]} and {names[1]}: the input is read once for both,"
                " so give it the same value in both files"
            )
