"""Small context-free text grammars: every prompt the simulator sends comes from these, none from anybody's data.

A grammar file is TOML, `rule = ["alternative", ...]`. Inside an alternative
`$rule` or `${rule}` expands another rule, `$^rule` does so with a capital first letter, `$!rule` is *frozen*: expanded
once per owner (an account, or the accounts that share a template) and then repeated, which is how templated automation
differs from people, `$#2-99` is a whole number in that range, and `$$` is a dollar sign.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files
from random import Random
from typing import TypeAlias

from stillwatch_schemas.errors import ConfigError

from stillwatch_streams.simulator.dice import dice

Draw: TypeAlias = Callable[[], float]
"""A source of uniform numbers in [0, 1)."""
Part: TypeAlias = "str | Rule | _Capital | _Frozen | _Number"

_NAME = r"[!^]?[a-z][a-z0-9_]*"
_REFERENCE = re.compile(rf"\$(?:(\$)|\{{({_NAME}|#\d+-\d+)\}}|({_NAME}|#\d+-\d+))")


class Frozen:
    """What an owner's frozen rules came out as: its templates."""

    __slots__ = ("_key", "_texts")

    def __init__(self, key: str) -> None:
        """`key` names the owner: the same key always gives the same texts, whatever was asked for before."""
        self._key = key
        self._texts: dict[str, str] = {}

    def text(self, rule: Rule) -> str:
        """The owner's text of a rule, made the first time it is asked for."""
        text = self._texts.get(rule.name)
        if text is None:
            out: list[str] = []
            rule.write(dice(f"{self._key}/{rule.name}").random, self, out)
            text = self._texts[rule.name] = "".join(out)
        return text


class Rule:
    """A named rule and its compiled alternatives, all equally likely."""

    __slots__ = ("alternatives", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.alternatives: list[str | tuple[Part, ...]] = []

    def write(self, draw: Draw, frozen: Frozen, out: list[str]) -> None:
        """Append one expansion to `out`."""
        alternatives = self.alternatives
        chosen = alternatives[int(draw() * len(alternatives))]
        if type(chosen) is str:
            out.append(chosen)
            return
        for part in chosen:
            if type(part) is str:
                out.append(part)
            else:
                part.write(draw, frozen, out)  # type: ignore[union-attr] # mypy does not narrow by `type() is`


class _Capital:
    """`$^rule`."""

    __slots__ = ("rule",)

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def write(self, draw: Draw, frozen: Frozen, out: list[str]) -> None:
        start = len(out)
        self.rule.write(draw, frozen, out)
        text = "".join(out[start:])
        out[start:] = [text[:1].upper() + text[1:]]


class _Frozen:
    """`$!rule`."""

    __slots__ = ("rule",)

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def write(self, draw: Draw, frozen: Frozen, out: list[str]) -> None:
        del draw  # frozen texts use their owner's numbers
        out.append(frozen.text(self.rule))


class _Number:
    """`$#low-high`."""

    __slots__ = ("low", "span")

    def __init__(self, low: int, high: int) -> None:
        self.low = low
        self.span = high - low + 1

    def write(self, draw: Draw, frozen: Frozen, out: list[str]) -> None:
        del frozen
        out.append(str(self.low + int(draw() * self.span)))


class Grammar:
    """Compiled rules that may refer to each other; immutable once built."""

    def __init__(self, source: Mapping[str, Iterable[str]]) -> None:
        self._rules = {name: Rule(name) for name in source}
        for name, alternatives in source.items():
            self._rules[name].alternatives.extend(self._compile(name, text) for text in alternatives)
            if not self._rules[name].alternatives:
                raise ConfigError(f"grammar rule '{name}' has no alternatives; give it at least one text")

    def __contains__(self, name: str) -> bool:
        return name in self._rules

    def names(self) -> list[str]:
        """All rule names, sorted."""
        return sorted(self._rules)

    def expand(self, name: str, rng: Random, frozen: Frozen) -> str:
        """One text of the rule; frozen parts come from `frozen`."""
        out: list[str] = []
        self._rules[name].write(rng.random, frozen, out)
        return "".join(out)

    def _compile(self, owner: str, text: str) -> str | tuple[Part, ...]:
        parts: list[Part] = []
        at = 0
        for match in _REFERENCE.finditer(text):
            parts.append(text[at : match.start()])
            parts.append("$" if match[1] else self._reference(owner, match[2] or match[3]))
            at = match.end()
        parts.append(text[at:])
        kept = tuple(part for part in parts if part != "")
        return kept if any(type(part) is not str for part in kept) else "".join(str(part) for part in kept)

    def _reference(self, owner: str, name: str) -> Part:
        if name[0] == "#":
            low, high = (int(bound) for bound in name[1:].split("-"))
            if low > high:
                raise ConfigError(f"grammar rule '{owner}': the range '${name}' runs backwards; write ${'#'}low-high")
            return _Number(low, high)
        bare = name.lstrip("!^")
        rule = self._rules.get(bare)
        if rule is None:
            raise ConfigError(
                f"grammar rule '{owner}' refers to '${name}', which no grammar file defines; define it, or write '$$' "
                "for a plain dollar sign"
            )
        if name[0] == "!":
            return _Frozen(rule)
        return _Capital(rule) if name[0] == "^" else rule


@cache
def shipped() -> Grammar:
    """The grammars that come with the simulator, compiled once."""
    return Grammar(_shipped_rules())


def with_additions(additions: Mapping[str, Iterable[str]]) -> Grammar:
    """The shipped grammars and a scenario's own rules, which win where the names are equal."""
    return Grammar({**_shipped_rules(), **additions}) if additions else shipped()


def _shipped_rules() -> dict[str, list[str]]:
    rules: dict[str, list[str]] = {}
    folder = files(__package__) / "grammars"
    for entry in sorted(folder.iterdir(), key=lambda found: found.name):
        if entry.name.endswith(".toml"):
            for name, alternatives in tomllib.loads(entry.read_text(encoding="utf-8")).items():
                if name in rules:
                    raise ConfigError(f"grammar rule '{name}' is defined twice; the second time in {entry.name}")
                rules[name] = alternatives
    return rules
