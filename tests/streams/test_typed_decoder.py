"""Our own topics' records: all good in one go, and a bad one set aside with its neighbours kept."""

from __future__ import annotations

from stillwatch_schemas.errors import ContractError
from stillwatch_streams.typed_decoder import TypedDecoder
from support.records import PlainRecord


def number(value: bytes | None) -> int:
    if value is None or not value.isdigit():
        raise ContractError("malformed", "not a number", field="value")
    return int(value)


def records(*values: bytes | None) -> list[PlainRecord]:
    return [PlainRecord(value=value, offset=10 + 2 * at) for at, value in enumerate(values)]


def test_items_and_their_offsets() -> None:
    batch, dead = TypedDecoder(number)(records(b"1", b"2", b"3"))
    assert (batch.items, batch.offsets, batch.next_offset, dead) == ([1, 2, 3], [10, 12, 14], 15, [])


def test_a_bad_record_is_set_aside_and_its_neighbours_are_kept() -> None:
    given = records(b"1", None, b"3", b"x")
    batch, dead = TypedDecoder(number)(given)
    assert (batch.items, batch.offsets, batch.next_offset) == ([1, 3], [10, 14], 17)
    assert [(letter.code, letter.field, letter.record) for letter in dead] == [
        ("malformed", "value", given[1]),
        ("malformed", "value", given[3]),
    ]
