"""Writing request events that no reader refuses.

The gateway's client chooses the user agent, the sampling parameters and the text. If a silly value there made the
whole event a dead letter, any attacker could opt out of detection with one header. So on the writing side such values
are cut to their limit or left out, while the gateway's own fields (ids, time) must be right or the event is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from stillwatch_schemas.errors import ContractError
from stillwatch_schemas.events import RequestEvent, Sketch
from stillwatch_schemas.refusals import contract_error, refuse_partial_sketch

OWN_FIELDS: Final = frozenset({"event_id", "ts", "account_id"})
"""Fields that are never mended: a cut or dropped identity would charge one account with another's requests."""
_TEXTS: Final = ("system_prompt", "prompt")


def _length_limits() -> dict[str, int]:
    """Greatest length of each text and list, read from the annotations so that it is said only once."""
    limits: dict[str, int] = {}
    for field in msgspec.structs.fields(RequestEvent):
        kind = msgspec.inspect.type_info(field.type)
        for option in kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,):
            if isinstance(option, msgspec.inspect.StrType | msgspec.inspect.VarTupleType) and option.max_length:
                limits[field.name] = option.max_length
    return limits


_LENGTH_LIMITS: Final = _length_limits()


def convert_request(fields: Mapping[str, Any]) -> RequestEvent:
    """An event out of loose fields (an adapter's), mended where the client chose the value; raises `ContractError`."""
    loose = {name: _plain(value) for name, value in fields.items()}
    for name in OWN_FIELDS & loose.keys():
        if loose[name] != fields[name]:
            message = f"`{name}` holds a lone surrogate, which UTF-8 cannot carry: {fields[name]!a}"
            raise ContractError("invalid_value", message, field=name)
    while True:
        try:
            event = msgspec.convert(loose, RequestEvent)
            if event.sketch is not None:
                refuse_partial_sketch(event.sketch)
        except (ValueError, ContractError) as error:
            _mend(loose, error if isinstance(error, ContractError) else contract_error("request event", error))
        else:
            return event


def _mend(loose: dict[str, Any], error: ContractError) -> None:
    """Make the offending field fit, or raise the error; each call mends one field, so mending ends."""
    name = (error.field or "").partition(".")[0].partition("[")[0]
    if name not in loose or name in OWN_FIELDS:
        raise error
    value = loose.pop(name)
    limit = _LENGTH_LIMITS.get(name)
    if limit and error.code == "oversized" and len(value) > limit:
        loose[name] = value[:limit]
        if name == "prompt" and loose.get("prompt_chars") is None:
            loose["prompt_chars"] = len(value)
    elif name == "model":
        loose[name] = "unknown"


def shorten_text(event: RequestEvent) -> RequestEvent:
    """The event with its longer text halved; remembers how long the prompt was."""
    name = max(_TEXTS, key=lambda field: len(getattr(event, field) or ""))
    text: str = getattr(event, name)
    changes: dict[str, Any] = {name: text[: len(text) // 2]}
    if name == "prompt" and event.prompt_chars is None:
        changes["prompt_chars"] = len(text)
    return msgspec.structs.replace(event, **changes)


def _plain(value: Any) -> Any:
    """Checkable again (sketches as objects), and text without lone surrogates, which Python's JSON reader lets in."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return msgspec.structs.asdict(value) if isinstance(value, Sketch) else value
