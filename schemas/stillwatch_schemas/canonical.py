"""Canonical JSON as RFC 8785 (JCS) lays it down: one value, one sequence of bytes, in every language.

Member names sorted by UTF-16 code units, no white space, strings escaped as little as JSON allows, numbers written as
ECMAScript writes them. Libraries for it exist in Go, Rust, Java and JavaScript.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any, Final

_SMALLEST_PLAIN: Final = 1e-6
_SMALLEST_EXPONENTIAL: Final = 1e21


def canonical_json(value: Any) -> bytes:
    """The canonical UTF-8 bytes of a JSON value; `ValueError` for what JSON cannot say (NaN, lone surrogates)."""
    return _text(value).encode()


def _text(value: Any) -> str:
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{_string(name)}:{_text(value[name])}" for name in names) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_text, value)) + "]"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, float):
        return _number(value)
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    raise ValueError(f"JSON has no {type(value).__name__}")


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _number(value: float) -> str:
    """ECMAScript's Number::toString; Python's repr has the same shortest digits in another dress."""
    if not math.isfinite(value):
        raise ValueError(f"JSON has no {value}")
    if value == 0 or _SMALLEST_PLAIN <= abs(value) < _SMALLEST_EXPONENTIAL:
        return format(Decimal(repr(value + 0.0)), "f").removesuffix(".0")
    digits, _, exponent = repr(value).partition("e")
    return f"{digits}e{int(exponent):+d}"
