"""Records as aiokafka's compiled parser makes them, a whole record batch at a time.

aiokafka builds a `ConsumerRecord` of eleven fields out of every parsed record, one by one in Python: that costs as
much as all the rest of reading. A parsed record has what we need (offset, timestamp, key, value, headers), so its batch
is handed on as it is. The place for that is where aiokafka keeps what a partition has fetched; aiokafka's version is
pinned, and tests compare every kind of batch with what aiokafka itself makes of it. `checksums` checks them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import Any

from aiokafka.consumer.fetcher import READ_UNCOMMITTED, FetchResult
from aiokafka.errors import CorruptRecordException

from stillwatch_streams.checksums import CheckingClient, Place


def hand_over_whole_batches(consumer: Any) -> None:
    """Make a started consumer give parsed records instead of `ConsumerRecord`s; ask it for all it has, not for some.

    RuntimeError for a consumer that reads committed transactions only, or that deserializes.
    """
    fetcher = consumer._fetcher  # noqa: SLF001 - no public way
    settings = (fetcher._isolation_level, fetcher._key_deserializer, fetcher._value_deserializer)  # noqa: SLF001 - ditto
    if settings != (READ_UNCOMMITTED, None, None) or fetcher._records:  # noqa: SLF001 - ditto
        raise RuntimeError("whole batches are for a new consumer that reads raw, uncommitted records")
    fetcher._client = CheckingClient(fetcher._client)  # noqa: SLF001 - ditto
    fetcher._records = Fetched(fetcher._client.intact)  # noqa: SLF001 - ditto


class Fetched(OrderedDict[Any, Any]):
    """What a fetcher holds for each partition until it is asked for: records (made ours here) or an error."""

    def __init__(self, intact: AbstractSet[Place]) -> None:
        super().__init__()
        self._intact = intact
        """Partitions whose latest fetch needs no check."""

    def __setitem__(self, partition: Any, found: Any) -> None:
        if isinstance(found, FetchResult):
            records = WholeBatches(found._partition_records, intact=partition in self._intact)  # noqa: SLF001 - no public way
            found._partition_records = records  # noqa: SLF001 - ditto
        super().__setitem__(partition, found)


class WholeBatches:
    """Stands where aiokafka's `PartitionRecords` stood, and reads the same memory by the same rules."""

    def __init__(self, found: Any, *, intact: bool = False) -> None:
        self.next_fetch_offset: int = found.next_fetch_offset
        """Where to read on once everything has been taken."""
        self._memory = found._records  # noqa: SLF001 - no public way
        self._check_crcs: bool = found._check_crcs and not intact  # noqa: SLF001 - ditto
        self._partition = found._tp  # noqa: SLF001 - ditto
        found._records_iterator = None  # noqa: SLF001 - it and its owner hold each other, and so would keep the memory

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self._batches())

    def _batches(self) -> Iterator[list[Any]]:
        while self._memory.has_next():
            batch = self._memory.next_batch()
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {self._partition}")
            if not batch.is_control_batch:
                yield self._expected(list(batch))
            self.next_fetch_offset = batch.next_offset  # also where compaction removed the batch's last records

    def _expected(self, records: list[Any]) -> list[Any]:
        """Without those before the offset that was asked for: a broker sends batches whole."""
        first = self.next_fetch_offset
        if records and records[0].offset < first:
            return [record for record in records if record.offset >= first]
        return records
