"""Request events in plain JSON, read by compiled code into numbers and places: no Python object is made of a value.

What fields there are, of which type and in which limits, is read from the contract (`events`), so the two cannot
differ. An event is read whole or not at all: one unknown field, one value out of its limits, a field that comes twice,
a text that is yet to be sketched, and it is not plain.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from msgspec import inspect

from stillwatch_schemas.compiled import Record, lean_part
from stillwatch_schemas.events import RequestEvent, Sketch
from stillwatch_schemas.limits import EMBEDDING_BYTES, MINHASH_VALUES
from stillwatch_schemas.plain_json import (
    CLOSE,
    CLOSE_LIST,
    COLON,
    COMMA,
    NOT_PLAIN,
    OPEN,
    OPEN_LIST,
    QUOTE,
    Bytes,
    blank,
    end_of_text,
    null,
    real,
    truth,
    whole,
)

TEXT, WHOLE, REAL, TRUTH, TEXTS, WHOLES, BYTES, OBJECT, NULL_ONLY = range(9)
"""Kinds of fields. A text that is yet to be sketched is plain only where it is absent or null."""
_TO_SKETCH: Final = frozenset({"prompt", "system_prompt"})
LONGEST_LIST: Final = MINHASH_VALUES
"""Most numbers in a list."""
_N: Final = ord("n")
_NAME_BYTES: Final = 32
BASE64_BYTES: Final = (EMBEDDING_BYTES + 2) // 3 * 4
"""Of an embedding."""


class _Field(NamedTuple):
    """What the contract says of a field."""

    name: str
    kind: int
    least: float = 0
    """Least value or length; of a list's items where it is a list."""
    most: float = 0
    items: int = 0
    """Most items of a list."""
    nullable: bool = False


_KINDS: Final = {
    inspect.StrType: TEXT,
    inspect.IntType: WHOLE,
    inspect.FloatType: REAL,
    inspect.BoolType: TRUTH,
    inspect.BytesType: BYTES,
    inspect.StructType: OBJECT,
}


def _field(name: str, kind: inspect.Type) -> _Field:
    """What the annotation says; KeyError for a type that has no plain reader."""
    if isinstance(kind, inspect.UnionType):
        (some,) = (option for option in kind.types if not isinstance(option, inspect.NoneType))
        return _field(name, some)._replace(nullable=True)
    if isinstance(kind, inspect.VarTupleType):
        item = _field(name, kind.item_type)
        return item._replace(kind={TEXT: TEXTS, WHOLE: WHOLES}[item.kind], items=kind.max_length or 0)
    least, most = 0.0, 0.0
    if isinstance(kind, inspect.StrType):
        least, most = kind.min_length or 0, kind.max_length or 0
    elif isinstance(kind, inspect.IntType | inspect.FloatType):
        least, most = kind.ge or 0, kind.le or 0
    elif isinstance(kind, inspect.BytesType):
        most = BASE64_BYTES
    return _Field(name, NULL_ONLY if name in _TO_SKETCH else _KINDS[type(kind)], least, most)


def _fields(contract: Any) -> list[_Field]:
    return [_field(field.encode_name, inspect.type_info(field.type)) for field in msgspec.structs.fields(contract)]


_FIELDS: Final = [*_fields(RequestEvent), *_fields(Sketch)]
NAMES: Final = [field.name for field in _FIELDS]
"""All fields, those of the sketch behind those of the event."""
FIELD: Final = {name: at for at, name in enumerate(NAMES)}
_SKETCH: Final = len(msgspec.structs.fields(RequestEvent))
_END: Final = len(_FIELDS)
_AFTER_SKETCH: Final = FIELD["sketch"] + 1

_REQUIRED = np.array([FIELD[field.name] for field in msgspec.structs.fields(RequestEvent) if field.required])
_KIND = np.array([field.kind for field in _FIELDS])
_COUNT = np.array([field.items for field in _FIELDS])
_NULLABLE = np.array([field.nullable for field in _FIELDS])
_LEAST_REAL = np.array([field.least for field in _FIELDS], np.float64)
_MOST_REAL = np.array([field.most for field in _FIELDS], np.float64)
_LEAST = np.array([field.least for field in _FIELDS], np.int64)
_MOST = np.array([field.most for field in _FIELDS], np.int64)
_LENGTH = np.array([len(name) + 1 for name in NAMES])
_NAME = np.frombuffer(b"".join(f'{name}"'.encode().ljust(_NAME_BYTES) for name in NAMES), np.uint8).reshape(_END, -1)

ABSENT, NULL, GIVEN = range(3)
_FOUND = {
    "state": "u1",  # ABSENT, NULL or GIVEN
    "number": "i8",  # a whole number, or a truth
    "real": "f8",
    "start": "i8",  # where a text begins
    "end": "i8",  # where it ends; of a list of numbers, how many there are
}
FOUND = np.dtype([*((what, kind, (_END,)) for what, kind in _FOUND.items()), ("items", "i8", (_END, LONGEST_LIST))])
"""What an event says, one place a field; zeros of what is absent or null. `items` are numbers of lists."""
NAMED = np.dtype([(what, [(name, kind) for name in NAMES]) for what, kind in _FOUND.items()])
"""The same but for the items, by name."""


class Found(NamedTuple):
    """Room for one event: two views of the same memory."""

    by_number: Record
    by_name: Record


def room() -> Found:
    """Room for one event."""
    found = np.zeros(1, FOUND)
    return Found(found[0], found.view(np.uint8)[: NAMED.itemsize].view(NAMED)[0])


@lean_part
def read_request(text: Bytes, at: int, found: Record) -> int:
    """Read the event at `at`; returns the position after it."""
    found.state[:] = ABSENT
    found.number[:] = 0
    found.real[:] = 0.0
    found.start[:] = 0
    found.end[:] = 0
    at = blank(text, at)
    if text[at] != OPEN:
        return NOT_PLAIN
    at = _members(text, blank(text, at + 1), found)
    for field in _REQUIRED:
        if found.state[field] != GIVEN:
            return NOT_PLAIN
    return at


@lean_part
def _members(text: Bytes, at: int, found: Record) -> int:
    """Read the fields of the event that has been opened, and of the sketch in it; returns the position after it."""
    expected, in_sketch = 0, False
    while text[at] == QUOTE:
        field = _named(text, at + 1, in_sketch, expected)
        if field < 0 or found.state[field] != ABSENT:
            return NOT_PLAIN
        at = blank(text, at + 1 + _LENGTH[field])
        if text[at] != COLON:
            return NOT_PLAIN
        at = blank(text, at + 1)
        expected = field + 1
        if _KIND[field] == OBJECT and text[at] == OPEN:
            found.state[field] = GIVEN
            at = blank(text, at + 1)
            in_sketch, expected = True, _SKETCH
            if text[at] != CLOSE:
                continue
        else:
            at = _value(text, at, field, found)
            if at == NOT_PLAIN:
                return NOT_PLAIN
            at = blank(text, at)
        if in_sketch and text[at] == CLOSE:
            at = blank(text, at + 1)
            in_sketch, expected = False, _AFTER_SKETCH
        if text[at] == CLOSE and not in_sketch:
            return blank(text, at + 1)
        if text[at] != COMMA:
            return NOT_PLAIN
        at = blank(text, at + 1)
    return NOT_PLAIN


@lean_part
def _named(text: Bytes, at: int, in_sketch: bool, expected: int) -> int:
    """The field whose name is at `at`; most likely it is the expected one, or one soon after it."""
    first, end = (_SKETCH, _END) if in_sketch else (0, _SKETCH)
    for field in range(expected, end):
        if _is_named(text, at, field):
            return field
    for field in range(first, expected):
        if _is_named(text, at, field):
            return field
    return -1


@lean_part
def _is_named(text: Bytes, at: int, field: int) -> bool:
    for i in range(_LENGTH[field]):  # noqa: SIM110 - compiled code has no generators
        if text[at + i] != _NAME[field, i]:
            return False
    return True


@lean_part
def _value(text: Bytes, at: int, field: int, found: Record) -> int:
    """Read a field's value; returns the position after it."""
    kind = _KIND[field]
    if _NULLABLE[field] and text[at] == _N:
        found.state[field] = NULL
        return null(text, at)
    found.state[field] = GIVEN
    if kind in (TEXT, BYTES):
        found.start[field] = at + 1
        at = _text(text, at, field)
        found.end[field] = at - 1
    elif kind == WHOLE:
        found.number[field], at = _whole(text, at, field)
    elif kind == REAL:
        found.real[field], at = real(text, at)
        if not _LEAST_REAL[field] <= found.real[field] <= _MOST_REAL[field]:
            at = NOT_PLAIN
    elif kind == TRUTH:
        found.number[field], at = truth(text, at)
    elif kind in (TEXTS, WHOLES) and text[at] == OPEN_LIST:
        at = _list(text, at + 1, field, found)
    else:
        at = NOT_PLAIN
    return at


@lean_part
def _whole(text: Bytes, at: int, field: int) -> tuple[int, int]:
    """A whole number within the field's limits, and the position after it."""
    number, end = whole(text, at)
    return number, end if _LEAST[field] <= number <= _MOST[field] else NOT_PLAIN


@lean_part
def _text(text: Bytes, at: int, field: int) -> int:
    """Position after a text."""
    if text[at] != QUOTE:
        return NOT_PLAIN
    end = end_of_text(text, at + 1)
    return end + 1 if _LEAST[field] <= end - at - 1 <= _MOST[field] else NOT_PLAIN


@lean_part
def _list(text: Bytes, at: int, field: int, found: Record) -> int:
    """Read the list that has been opened: its numbers, or only the limits of its texts."""
    at = blank(text, at)
    if text[at] == CLOSE_LIST:
        return at + 1
    for count in range(_COUNT[field]):
        if _KIND[field] == WHOLES:
            found.items[field, count], at = _whole(text, at, field)
        else:
            at = _text(text, at, field)
        if at == NOT_PLAIN:
            return NOT_PLAIN
        at = blank(text, at)
        if text[at] == CLOSE_LIST:
            found.end[field] = count + 1
            return at + 1
        if text[at] != COMMA:
            return NOT_PLAIN
        at = blank(text, at + 1)
    return NOT_PLAIN
