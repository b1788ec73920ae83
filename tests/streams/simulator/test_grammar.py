"""Grammars: what a reference means, what a mistake says, and how rich the shipped ones are."""

from __future__ import annotations

import pytest
from stillwatch_schemas.errors import ConfigError
from stillwatch_streams.simulator.dice import dice
from stillwatch_streams.simulator.grammar import Frozen, Grammar, shipped, with_additions


def expand(source: dict[str, list[str]], rule: str = "start", seed: int = 1) -> str:
    return Grammar(source).expand(rule, dice(str(seed)), Frozen("owner"))


def test_references_capitals_numbers_and_dollars() -> None:
    text = expand({"start": ["$^word ${word}s cost $$#7-7 or $$20, not $#7-7"], "word": ["apple"]})
    assert text == "Apple apples cost $#7-7 or $20, not 7"


def test_numbers_stay_in_their_range() -> None:
    grammar = Grammar({"start": ["$#3-5"]})
    rng = dice("1")
    assert {grammar.expand("start", rng, Frozen("owner")) for _ in range(100)} == {"3", "4", "5"}


def test_frozen_parts_repeat_for_one_owner_and_differ_between_owners() -> None:
    grammar = Grammar({"start": ["$!head $#0-999999"], "head": ["$#0-999999"]})
    owner, other, rng = Frozen("one"), Frozen("other"), dice("1")
    texts = [grammar.expand("start", rng, owner).split() for _ in range(20)]
    assert len({head for head, _ in texts}) == 1
    assert len({slot for _, slot in texts}) == 20
    assert grammar.expand("start", rng, other).split()[0] != texts[0][0]


def test_frozen_text_does_not_depend_on_what_was_asked_for_before() -> None:
    grammar = Grammar({"a": ["$!x"], "b": ["$!y"], "x": ["$#0-999999"], "y": ["$#0-999999"]})
    one, two, rng = Frozen("same"), Frozen("same"), dice("1")
    forwards = [grammar.expand(name, rng, one) for name in ("a", "b")]
    backwards = [grammar.expand(name, rng, two) for name in ("b", "a")]
    assert forwards == backwards[::-1]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"start": ["$missing"]}, r"rule 'start' refers to '\$missing'"),
        ({"start": ["$#9-1"]}, "runs backwards"),
        ({"start": []}, "no alternatives"),
    ],
)
def test_mistakes_name_the_rule(source: dict[str, list[str]], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Grammar(source)


def test_additions_win_over_shipped_rules() -> None:
    grammar = with_additions({"topic": ["only this"]})
    assert grammar.expand("topic", dice("1"), Frozen("owner")) == "only this"
    assert "instruct" in grammar


@pytest.mark.parametrize(
    "rule", ["instruct", "harvest_code", "harvest_cot", "harvest_grading", "harvest_zh", "harvest_translate"]
)
def test_harvested_prompts_hardly_repeat(rule: str) -> None:
    """Real instruction sets hold about 1 per cent near-duplicates; ours must not be given away by verbatim repeats."""
    rng, owner = dice("5"), Frozen("owner")
    texts = [shipped().expand(rule, rng, owner) for _ in range(700)]  # what one account asks in a campaign
    assert len(set(texts)) >= 0.97 * len(texts)


def test_templated_automation_repeats_its_frame_and_not_its_data() -> None:
    rng, owner = dice("5"), Frozen("owner")
    texts = [shipped().expand("etl_invoices", rng, owner) for _ in range(100)]
    assert len({text.split("\n", 1)[0] for text in texts}) == 1
    assert len(set(texts)) == 100


def test_every_shipped_rule_expands() -> None:
    grammar, rng = shipped(), dice("3")
    for name in grammar.names():
        text = grammar.expand(name, rng, Frozen("owner"))
        assert text.strip(), name
        assert "$" not in text, (name, text)
