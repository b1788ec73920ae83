"""Reads settings from a TOML file and the environment, and says precisely what is wrong with them."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from stillwatch_schemas.errors import ConfigError

from stillwatch_streams.settings import SECRETS, Settings

ENV_PREFIX = "STILLWATCH_"
SERVING_PREFIX = f"{ENV_PREFIX}SERVING__"
"""The serving side's own section, which may stand in the same environment."""
ENV_FILE = "STILLWATCH_CONFIG"
DISABLED = "engine.disabled_signals"


class Given(msgspec.Struct, frozen=True):
    """One value as written, and where."""

    value: Any
    where: str
    from_env: bool


def load_settings(path: str | None = None, env: Mapping[str, str] | None = None) -> Settings:
    """Settings from the file `path` (else `STILLWATCH_CONFIG`, else none) and the environment; ConfigError if wrong."""
    environ = os.environ if env is None else env
    given: dict[str, Given] = {}
    file = path or environ.get(ENV_FILE)
    if file:
        given.update(_from_file(Path(file)))
    given.update(_from_env(environ))
    _refuse_unknown(given)
    settings: Settings = _build(Settings, "", given)
    if DISABLED in given:
        from stillwatch_models.switches import refuse_unknown_signals  # noqa: PLC0415 - the detectors take seconds to load

        refuse_unknown_signals(settings.engine.disabled_signals, f"Setting {DISABLED} ({given[DISABLED].where})")
    return settings


def flatten(settings: msgspec.Struct, prefix: str = "") -> Iterator[tuple[str, str]]:
    """`section.field` and its value as text, secrets masked."""
    for name in settings.__struct_fields__:
        value, key = getattr(settings, name), f"{prefix}{name}"
        if isinstance(value, msgspec.Struct):
            yield from flatten(value, f"{key}.")
        else:
            masked = "***" if key in SECRETS and value else value
            yield key, masked if isinstance(masked, str) else msgspec.json.encode(masked).decode()


def _from_file(path: Path) -> dict[str, Given]:
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"Can't read the configuration file {path}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error
    return {
        key: Given(value, f"{path}, line {_line_of(text, key)}", from_env=False) for key, value in _leaves(document, "")
    }


def _leaves(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _line_of(text: str, key: str) -> int:
    """Line on which a dotted key is set (tomllib doesn't say); the section's own where it is written otherwise."""
    section, _, name = key.rpartition(".")
    current, best = "", 1
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[([^\[\]]+)\]", line)
        if header:
            current = header[1].strip()
            best = number if current == section else best
        elif current == section and re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*=", line):
            return number
    return best


def _from_env(environ: Mapping[str, str]) -> dict[str, Given]:
    given = {}
    for name, value in environ.items():
        if name.startswith(ENV_PREFIX) and "__" in name and not name.startswith(SERVING_PREFIX):
            key = name.removeprefix(ENV_PREFIX).lower().replace("__", ".")
            given[key] = Given(value, f"environment variable {name}", from_env=True)
    return given


def known_keys(struct: type[msgspec.Struct] = Settings, prefix: str = "") -> dict[str, Any]:
    """Every `section.field` and its type."""
    keys: dict[str, Any] = {}
    for name, hint in get_type_hints(struct, include_extras=True).items():
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            keys.update(known_keys(hint, f"{prefix}{name}."))
        else:
            keys[f"{prefix}{name}"] = hint
    return keys


def _refuse_unknown(given: Mapping[str, Given]) -> None:
    known = known_keys()
    for key, entry in given.items():
        if key in known:
            continue
        section = key.rpartition(".")[0]
        near = [name for name in known if name.rpartition(".")[0] == section] or sorted(
            {name.partition(".")[0] for name in known}
        )
        alike = [name for name in known if name.startswith(key)] or difflib.get_close_matches(key, known, n=1)
        hint = f" Did you mean {alike[0]}?" if alike else ""
        raise ConfigError(f"Unknown setting {key} ({entry.where}).{hint} Known here: {', '.join(near)}.")


def _build(struct: type[msgspec.Struct], prefix: str, given: Mapping[str, Given]) -> Any:
    values = {}
    for name, hint in get_type_hints(struct, include_extras=True).items():
        key = f"{prefix}{name}"
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            values[name] = _build(hint, f"{key}.", given)
        elif key in given:
            values[name] = _value(key, hint, given[key])
    return struct(**values)


def _value(key: str, hint: Any, entry: Given) -> Any:
    raw = entry.value
    if entry.from_env and get_origin(hint) is tuple:
        raw = [part.strip() for part in raw.split(",") if part.strip()]
    if entry.from_env and hint is bool:
        raw = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(raw.lower(), raw)
    try:
        return msgspec.convert(raw, hint, strict=not entry.from_env)
    except msgspec.ValidationError as error:
        shown = "***" if key in SECRETS else repr(entry.value)
        raise ConfigError(f"Setting {key} = {shown} ({entry.where}) is wrong: {_reason(hint, error)}.") from error


def _reason(hint: Any, error: msgspec.ValidationError) -> str:
    inner = get_args(hint)[0] if get_origin(hint) is tuple else hint
    if get_origin(inner) is Literal:
        return f"allowed are {', '.join(map(str, get_args(inner)))}"
    return str(error).rstrip(".")
