"""Scenario files: what they resolve to, and that a mistake is told with key, value and what is allowed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from stillwatch_schemas.errors import ConfigError
from stillwatch_streams.simulator import catalogue, load_scenario, parse_scenario, shipped
from stillwatch_streams.simulator.profile import Loop, Sessions, Steady
from stillwatch_streams.simulator.scenario import to_toml

HEAD = 'name = "mine"\nabout = "a test"\ndays = 1\nmodels = [{ name = "m" }]\n'
GROUP = '[[benign]]\narchetype = "human_chat"\naccounts = 3\n'
CAMPAIGN = '[[campaigns]]\nid = "c"\nfamily = "cot"\naccounts = 2\n'


@pytest.mark.parametrize("name", shipped())
def test_shipped_scenarios_load_and_survive_being_written_out(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name
    assert parse_scenario(to_toml(scenario), where="again") == scenario


def test_every_archetype_and_family_is_a_valid_profile() -> None:
    for name in catalogue.archetypes():
        parse_scenario(f'{HEAD}[[benign]]\narchetype = "{name}"\naccounts = 1\n', where=name)
    for name in catalogue.families():
        parse_scenario(f'{HEAD}[[campaigns]]\nid = "c"\nfamily = "{name}"\naccounts = 1\n', where=name)


def test_an_override_keeps_the_rest_of_the_profile() -> None:
    scenario = parse_scenario(HEAD + GROUP + "profile.timing = { per_day = 9.0 }\nprofile.weekend = 0.0\n", where="t")
    timing = scenario.benign[0].profile.timing
    assert isinstance(timing, Sessions)
    usual = load_scenario("tiny").benign[0].profile
    assert isinstance(usual.timing, Sessions)
    assert timing == msgspec.structs.replace(usual.timing, per_day=9.0)
    assert scenario.benign[0].profile.texts == usual.texts


def test_another_rhythm_replaces_the_timing_whole() -> None:
    scenario = parse_scenario(HEAD + CAMPAIGN + 'profile.timing = { rhythm = "loop" }\n', where="t")
    assert scenario.campaigns[0].profile.timing == Loop()
    assert isinstance(parse_scenario(HEAD + CAMPAIGN, where="t").campaigns[0].profile.timing, Steady)


def test_weights_are_replaced_whole() -> None:
    scenario = parse_scenario(HEAD + GROUP + "profile.clients = { shell = 1.0 }\n", where="t")
    assert scenario.benign[0].profile.clients == {"shell": 1.0}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD, "nobody is in it"),
        ("name = ", "not valid TOML"),
        (HEAD + GROUP + "accuonts = 3\n", r"benign\[0\].*unknown field `accuonts`.*allowed: archetype, accounts"),
        (HEAD + GROUP.replace("3", '"three"'), r"benign\[0\]\.accounts: 'three' does not fit: expected `int`"),
        (HEAD + GROUP.replace("3", "0"), r"benign\[0\]\.accounts: 0 does not fit: expected `int` >= 1"),
        (HEAD + GROUP.replace("human_chat", "human_chta"), r"'human_chta' is not known \(did you mean 'human_chat'"),
        (HEAD + GROUP + 'profile.hours = "always"\n', r"hours: 'always' does not fit.*around_the_clock, waking"),
        (HEAD + GROUP + 'profile.timing = { rhythm = "jazz" }\n', r"rhythm: 'jazz' does not fit.*allowed: .*sessions"),
        (HEAD + GROUP + "profile.timing = { per_dya = 1.0 }\n", r"unknown field `per_dya`.*per_day"),
        (HEAD + GROUP + "profile.network.pools = { moon = 1.0 }\n", r"'moon' is not known; allowed: campus, .*cloud"),
        (HEAD + GROUP + "profile.clients = { phone = 0.0 }\n", "weights add up to 0"),
        (HEAD + GROUP + "profile.texts = { opening = { nothing = 1.0 } }\n", "texts.opening: 'nothing' is not known"),
        (HEAD + CAMPAIGN + CAMPAIGN, "two campaigns have the id 'c'"),
        (HEAD + CAMPAIGN + "pivot = {}\n", r"pivot needs a \[release\]"),
        (HEAD + CAMPAIGN + 'cover = { archetype = "nobody" }\n', "cover.archetype: 'nobody' is not known"),
        (HEAD.replace("days = 1", "days = -1") + GROUP, "days: -1 does not fit"),
        (HEAD.replace('name = "mine"', 'name = "My Scenario"') + GROUP, "name: 'My Scenario'"),
        (HEAD.replace("[{ name", "[{ nmae") + GROUP, r"models\[0\].*`nmae`"),
    ],
)
def test_a_mistake_names_key_value_and_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s)mine.toml.*{said}"):
        parse_scenario(text, where="mine.toml")


def test_missing_files_and_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="check the path"):
        load_scenario(tmp_path / "absent.toml")
    with pytest.raises(ConfigError, match="shipped are boiling-frog, demo"):
        load_scenario("absent")
    broken = tmp_path / "latin.toml"
    broken.write_bytes(b'name = "\xff"')
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_scenario(broken)


def test_a_users_own_grammar_rules_are_used(tmp_path: Path) -> None:
    own = GROUP + "profile.texts = { opening = { mine = 1.0 } }\n[grammar]\nmine = ['about $topic']\n"
    path = tmp_path / "own.toml"
    path.write_text(HEAD + own)
    assert load_scenario(path).grammar == {"mine": ["about $topic"]}
