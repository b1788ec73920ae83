"""msgspec's complaints as our `ContractError`s: a stable code, the field's path, the value found, what was expected.

The codes go into metrics and dead letters, so they may be added to but not renamed (`CODES`).
"""

from __future__ import annotations

import re
from typing import Any, Final, NoReturn

import msgspec

from stillwatch_schemas.errors import ContractError
from stillwatch_schemas.events import Sketch
from stillwatch_schemas.limits import EMBEDDING_BYTES, MINHASH_VALUES

CODES: Final = {
    "empty_value": "no value, or a value of no bytes",
    "oversized": "the record, a text or a list is longer than its limit",
    "malformed_json": "not one JSON document in UTF-8",
    "too_deep": "nested deeper than the decoder goes",
    "missing_field": "a required field is not there",
    "wrong_type": "a field has another JSON type than the contract says",
    "invalid_value": "the right type, but out of range, empty, or not one of the allowed words",
}
SECRET_FIELDS: Final = frozenset({"prompt", "system_prompt"})
"""Fields whose value is never shown in a message: messages go into logs and headers."""
WHOLE_MINHASH: Final = (MINHASH_VALUES, 0)
WHOLE_EMBEDDING: Final = (EMBEDDING_BYTES, 0)
"""Lengths that these parts of a sketch may have, the usual one first."""

_PATH = re.compile(r" - at `(?:key in )?\$?\.?(.*)`$", re.DOTALL)
_MISSING = re.compile(r"missing required field `([^`]*)`")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_SHOWN_CHARS: Final = 60
_SHOWN_RECORD_BYTES: Final = 65_536
"""In longer records the value found is not looked up: the error path must stay cheap under a flood."""


def refuse_size(what: str, value: bytes | None, max_bytes: int) -> NoReturn:
    """Raise the `ContractError` for a value that is absent or too long."""
    if not value:
        raise ContractError("empty_value", f"the record has no value; a {what} is a JSON object")
    message = f"the record has {len(value):,} bytes; a {what} has at most {max_bytes:,}: cut the text before sending"
    raise ContractError("oversized", message)


def refuse_partial_sketch(sketch: Sketch) -> None:
    """Raise for a sketch that has a part of its MinHash or of its projection: the core reads them as arrays."""
    _whole("sketch.minhash", len(sketch.minhash), WHOLE_MINHASH)
    _whole("sketch.embedding", len(sketch.embedding), WHOLE_EMBEDDING)


def _whole(field: str, found: int, allowed: tuple[int, int]) -> None:
    if found not in allowed:
        expected = f"Expected length 0 or {max(allowed)}"
        message = f"this request event does not fit in field `{field}`: {expected}; found {found}"
        raise ContractError("invalid_value", message, field=field)


def contract_error(what: str, error: BaseException, value: bytes | None = None) -> ContractError:
    """Our error for one that msgspec raised on a value of the contract that `what` names."""
    if isinstance(error, msgspec.ValidationError):
        return _validation_error(what, str(error), value)
    if isinstance(error, RecursionError):
        return ContractError("too_deep", f"this {what} is nested deeper than any {what} is")
    return ContractError("malformed_json", f"this {what} is not one JSON document in UTF-8: {error}")


def _validation_error(what: str, text: str, value: bytes | None) -> ContractError:
    at = _PATH.search(text)
    path = at[1] if at else ""
    problem = text[: at.start()] if at else text
    missing = _MISSING.search(problem)
    if missing:
        path = f"{path}.{missing[1]}" if path else missing[1]
        return ContractError("missing_field", f"this {what} lacks the required field `{path}`", field=path)
    where = f" in field `{path}`" if path else ""
    message = f"this {what} does not fit{where}: {problem}{_found(value, path)}"
    return ContractError(_code(problem), message, field=path or None)


def _code(problem: str) -> str:
    if "of length <=" in problem:
        return "oversized"
    if problem.startswith("Expected") and ", got " in problem:
        return "wrong_type"
    return "invalid_value"


def _found(value: bytes | None, path: str) -> str:
    """The value at the path, shortened, as the end of a sentence; nothing where it cannot or should not be shown."""
    if value is None or not path or len(value) > _SHOWN_RECORD_BYTES:
        return ""
    try:
        found: Any = msgspec.json.decode(value)
        for name, index in _STEP.findall(path):
            found = found[int(index)] if index else found[name]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    if path in SECRET_FIELDS or len(text := repr(found)) > _SHOWN_CHARS:
        return f"; found {_size(found)}"
    return f"; found {text}"


def _size(found: Any) -> str:
    kind = type(found).__name__
    return f"a {kind} of length {len(found):,}" if isinstance(found, str | list | dict) else f"a value of type {kind}"
