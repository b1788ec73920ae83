"""Scenario files: TOML in, one frozen `Scenario` out, or one clear error that names key, value and what is allowed."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from copy import deepcopy
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import msgspec
from stillwatch_schemas.errors import ConfigError

from stillwatch_streams.simulator import catalogue, grammar
from stillwatch_streams.simulator.checked import convert, pick
from stillwatch_streams.simulator.profile import NotNegative, Positive, PositiveCount, Profile, Share, Strict
from stillwatch_streams.simulator.toml_text import dumps

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]*$")]


class Model(Strict, frozen=True, kw_only=True):
    """A model on offer."""

    name: str
    weight: NotNegative = 1.0
    """Its share of benign calls, relative to the others."""
    ms_per_token: Positive = 14.0
    reasons: bool = False
    """Whether it spends reasoning tokens."""


class Release(Strict, frozen=True, kw_only=True):
    """A model that appears while the scenario runs."""

    model: Model
    day: NotNegative
    benign_share: Share = 0.1
    """Share of benign calls that go to it in the end ..."""
    benign_days: Positive = 5.0
    """... reached this many days after the release."""


class Surge(Strict, frozen=True, kw_only=True):
    """A window in which a group is busier than usual."""

    day: NotNegative
    hours: Positive = 3.0
    factor: Positive = 10.0


class Group(Strict, frozen=True, kw_only=True):
    """Benign accounts of one archetype."""

    archetype: Name
    accounts: PositiveCount
    activity: Positive = 1.0
    """Multiplies the archetype's rate."""
    start_day: NotNegative = 0.0
    surge: Surge | None = None
    profile: Profile
    """The shipped archetype with this group's overrides."""


class Cover(Strict, frozen=True, kw_only=True):
    """Benign traffic that attack accounts mix in, from the first day on."""

    archetype: Name
    activity: Positive = 1.0
    profile: Profile


class Ramp(Strict, frozen=True, kw_only=True):
    """Starts at a share of the full rate and grows evenly to all of it: the boiling frog."""

    from_share: Share = 0.05
    over_days: Positive = 5.0


class Pivot(Strict, frozen=True, kw_only=True):
    """Moves to the released model."""

    share: Share = 0.5
    within_hours: Positive = 24.0


class Handover(Strict, frozen=True, kw_only=True):
    """Accounts work in shifts and hand the work on."""

    active: PositiveCount
    """Accounts at work at the same time."""
    shift_hours: Positive = 6.0


class Campaign(Strict, frozen=True, kw_only=True):
    """Accounts that harvest together."""

    id: Name
    family: Name
    accounts: PositiveCount
    start_day: NotNegative = 1.0
    days: Positive | None = None
    """How long it lasts; without it, to the end."""
    activity: Positive = 1.0
    cover: Cover | None = None
    ramp: Ramp | None = None
    pivot: Pivot | None = None
    handover: Handover | None = None
    teachers: PositiveCount = 1
    """Models that each prompt is sent to (multi-teacher harvesting)."""
    profile: Profile
    """The shipped family with this campaign's overrides."""


class Scenario(Strict, frozen=True, kw_only=True):
    """A whole labelled world; equal scenario and seed give equal events."""

    name: Name
    about: str
    days: Positive
    start: str = "2026-03-02T00:00:00Z"
    """Where `stillwatch simulate` puts day 0 unless told otherwise; hours of the day are read in UTC."""
    models: tuple[Model, ...]
    release: Release | None = None
    benign: tuple[Group, ...] = ()
    campaigns: tuple[Campaign, ...] = ()
    grammar: dict[str, list[str]] = msgspec.field(default_factory=dict)
    """Text rules of the scenario's own, beside the shipped ones."""


def shipped() -> list[str]:
    """Names of the scenarios that come with Stillwatch."""
    return sorted(entry.name[:-5] for entry in _folder().iterdir() if entry.name.endswith(".toml"))


def load_scenario(name_or_path: str | Path) -> Scenario:
    """Read a shipped scenario by its name, or a file by its path (anything that ends in `.toml`).

    Raises ConfigError for a missing file, broken TOML, and anything a scenario can't mean.
    """
    text = str(name_or_path)
    if text.endswith(".toml"):
        try:
            return parse_scenario(Path(text).read_bytes().decode(), where=text)
        except OSError as error:
            raise ConfigError(f"scenario file {text}: {error.strerror}; check the path") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"scenario file {text}: not UTF-8 text ({error.reason})") from error
    if text not in shipped():
        raise ConfigError(f"no scenario is called '{text}'; shipped are {', '.join(shipped())}; a file ends in .toml")
    return parse_scenario((_folder() / f"{text}.toml").read_text(encoding="utf-8"), where=text)


def parse_scenario(text: str, *, where: str) -> Scenario:
    """A scenario from TOML text; `where` names it in errors."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"scenario {where}: not valid TOML: {error}") from error
    scenario = convert(_resolved(document, where), Scenario, where=f"scenario {where}")
    _check(scenario, f"scenario {where}")
    return scenario


def to_toml(scenario: Scenario) -> str:
    """The resolved scenario (every default and override written out), readable by `load_scenario` again."""
    return dumps(msgspec.to_builtins(scenario))


def _folder() -> Any:
    return files(__package__) / "scenarios"


def _resolved(document: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Replace each mention of an archetype or family by its shipped profile with the overrides merged in."""
    resolved = deepcopy(dict(document))
    for key, kind, profiles in (
        ("benign", "archetype", catalogue.archetypes()),
        ("campaigns", "family", catalogue.families()),
    ):
        entries = resolved.get(key, [])
        for number, entry in enumerate(entries if isinstance(entries, list) else []):
            if not isinstance(entry, dict):
                continue
            at = f"scenario {where}: {key}[{number}]"
            _fill(entry, kind, profiles, at)
            if isinstance(entry.get("cover"), dict):
                _fill(entry["cover"], "archetype", catalogue.archetypes(), f"{at}.cover")
    return resolved


def _fill(entry: dict[str, Any], kind: str, profiles: Mapping[str, Any], at: str) -> None:
    if kind in entry:
        base = pick(profiles, entry[kind], f"{at}.{kind}")
        entry["profile"] = merged(base, entry.get("profile", {}))


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` laid on it, table by table; weight tables and changed rhythms are replaced whole."""
    result = deepcopy(dict(base))
    for key, value in over.items():
        old = result.get(key)
        whole = key in _WHOLE or (key == "timing" and isinstance(value, dict) and "rhythm" in value)
        if isinstance(value, Mapping) and isinstance(old, Mapping) and not whole:
            result[key] = merged(old, value)
        else:
            result[key] = deepcopy(value)
    return result


_WHOLE = {"opening", "follow_up", "system", "pools", "clients", "models", "plans"}


def _check(scenario: Scenario, at: str) -> None:
    """What types can't say: names that must exist, and combinations without meaning."""
    rules = grammar.with_additions(scenario.grammar)
    if not scenario.benign and not scenario.campaigns:
        raise ConfigError(f"{at}: nobody is in it; add [[benign]] or [[campaigns]]")
    if not scenario.models:
        raise ConfigError(f"{at}: models is empty; add at least one [[models]]")
    ids = [campaign.id for campaign in scenario.campaigns]
    for twice in {name for name in ids if ids.count(name) > 1}:
        raise ConfigError(f"{at}: two campaigns have the id '{twice}'; ids must differ")
    models = {model.name for model in scenario.models} | ({scenario.release.model.name} if scenario.release else set())
    for number, group in enumerate(scenario.benign):
        _check_profile(group.profile, rules, models, f"{at}: benign[{number}]")
    for number, campaign in enumerate(scenario.campaigns):
        _check_profile(campaign.profile, rules, models, f"{at}: campaigns[{number}]")
        if campaign.pivot is not None and scenario.release is None:
            raise ConfigError(f"{at}: campaigns[{number}].pivot needs a [release] to move to")
        if campaign.cover is not None:
            _check_profile(campaign.cover.profile, rules, models, f"{at}: campaigns[{number}].cover")


def _check_profile(profile: Profile, rules: grammar.Grammar, models: set[str], at: str) -> None:
    known = dict.fromkeys(rules.names())
    tables: list[tuple[str, Mapping[str, float], Mapping[str, Any], bool]] = [
        ("texts.opening", profile.texts.opening, known, True),
        ("texts.follow_up", profile.texts.follow_up, known, False),
        ("texts.system", profile.texts.system, known, False),
        ("network.pools", profile.network.pools, catalogue.networks(), True),
        ("clients", profile.clients, catalogue.clients(), True),
        ("models", profile.models, dict.fromkeys(models), False),
    ]
    for key, weights, allowed, needed in tables:
        for name in weights:
            pick(allowed, name, f"{at}.profile.{key}")
        if (needed or weights) and sum(weights.values()) <= 0:
            raise ConfigError(f"{at}.profile.{key}: the weights add up to 0; give at least one above 0")
