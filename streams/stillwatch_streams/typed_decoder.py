"""Decodes the records of our own topics (signals, alerts): one function a value, dead letters for what doesn't fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from stillwatch_models.shard import Batch
from stillwatch_schemas.errors import ContractError

from stillwatch_streams.ingest import DeadLetter, Record

T = TypeVar("T")


class TypedDecoder(Generic[T]):
    """Records to typed items by a codec function that raises ContractError."""

    def __init__(self, decode: Callable[[bytes | None], T]) -> None:
        self._decode = decode

    def __call__(self, records: Sequence[Record]) -> tuple[Batch[T], list[DeadLetter]]:
        """Items and dead letters of at least one record, in offset order."""
        end = records[-1].offset + 1
        try:
            items = [self._decode(record.value) for record in records]
        except ContractError:
            return self._one_by_one(records, end)
        return Batch(items, [record.offset for record in records], end), []

    def _one_by_one(self, records: Sequence[Record], end: int) -> tuple[Batch[T], list[DeadLetter]]:
        items: list[T] = []
        offsets: list[int] = []
        dead: list[DeadLetter] = []
        for record in records:
            try:
                items.append(self._decode(record.value))
            except ContractError as error:
                dead.append(DeadLetter(error.code, str(error), error.field, record))
            else:
                offsets.append(record.offset)
        return Batch(items, offsets, end), dead
