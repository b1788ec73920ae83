"""Turn a parsed TOML document into a frozen struct, or into one sentence a person can act on."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from stillwatch_schemas.errors import ConfigError

T = TypeVar("T")
V = TypeVar("V")

_MANY = 24
"""Beyond this many, allowed names are abbreviated."""


def pick(table: Mapping[str, V], name: Any, at: str) -> V:
    """`table[name]`, or a ConfigError that says which names there are."""
    if isinstance(name, str) and name in table:
        return table[name]
    near = difflib.get_close_matches(str(name), list(table), n=1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    raise ConfigError(f"{at}: {name!r} is not known{hint}; allowed: {_listed(table)}")


def convert(document: Any, kind: type[T], *, where: str) -> T:
    """Check and convert; a ConfigError names the key, its value and what is allowed there."""
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {_explained(str(error), document, kind)}") from error


def _explained(message: str, document: Any, kind: Any) -> str:
    what, _, path = message.partition(" - at `$")
    steps = [part for part in re.split(r"[.\[\]`]+", path) if part]
    value, expected = document, kind
    for step in steps:
        value = _child(value, step)
        expected = _type_at(expected, step, value)
    key = path.rstrip("`").lstrip(".")
    place = f"{key}: " if key else ""
    allowed = _allowed(expected)
    shown = "" if isinstance(value, dict | list) else f"{value!r} does not fit: "
    return f"{place}{shown}{what[:1].lower()}{what[1:]}{f'; allowed: {allowed}' if allowed else ''}"


def _child(value: Any, step: str) -> Any:
    if isinstance(value, list) and step.isdigit():
        return value[int(step)]
    return value.get(step) if isinstance(value, dict) else None


def _type_at(kind: Any, step: str, value: Any) -> Any:
    """The type annotation one step further down; None where it can't be told."""
    tags = [config.tag for config in _configs(kind) if config.tag_field == step]
    if tags:
        return typing.Literal[tuple(tags)]
    for option in _options(kind):
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            found = {field.encode_name: field.type for field in msgspec.structs.fields(option)}.get(step)
            if found is not None:
                return _narrowed(found, value)
        elif step.isdigit() and typing.get_origin(option) in (tuple, list):
            return typing.get_args(option)[0]
    return None


def _narrowed(kind: Any, value: Any) -> Any:
    """Of several tagged structs, the one whose tag the value carries."""
    for option in _options(kind):
        config = getattr(option, "__struct_config__", None)
        if config and config.tag and isinstance(value, dict) and value.get(config.tag_field) == config.tag:
            return option
    return kind


def _configs(kind: Any) -> list[Any]:
    """The struct configurations among the options of an annotation."""
    return [option.__struct_config__ for option in _options(kind) if hasattr(option, "__struct_config__")]


def _options(kind: Any) -> list[Any]:
    if typing.get_origin(kind) is typing.Annotated:
        return _options(typing.get_args(kind)[0])
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return [inner for option in typing.get_args(kind) for inner in _options(option)]
    return [kind]


def _allowed(kind: Any) -> str:
    options = _options(kind)
    literals = [
        word for option in options if typing.get_origin(option) is typing.Literal for word in typing.get_args(option)
    ]
    if literals:
        return ", ".join(literals)
    structs = [option for option in options if isinstance(option, type) and issubclass(option, msgspec.Struct)]
    if len(structs) > 1:
        return ", ".join(f"{s.__struct_config__.tag_field} = {s.__struct_config__.tag!r}" for s in structs)
    return ", ".join(structs[0].__struct_encode_fields__) if structs else ""


def _listed(table: Mapping[str, Any]) -> str:
    names = sorted(table)
    more = f", ... ({len(names)} in all)" if len(names) > _MANY else ""
    return ", ".join(names[:_MANY]) + more
