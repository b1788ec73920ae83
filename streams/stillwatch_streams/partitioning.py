"""Which partition a key belongs to: Kafka's default (murmur2), so that a file is split as a topic would be.

Written for many short keys: whole words come from one `struct.unpack`, and the answers are remembered up to a bound.
"""

from __future__ import annotations

import struct

MASK = 0xFFFFFFFF
MULTIPLIER = 0x5BD1E995
SEED = 0x9747B28C
REMEMBERED_KEYS = 1 << 18
"""Keys a `Partitioner` remembers; it forgets them all at once when full, which only costs time."""


def murmur2(data: bytes) -> int:
    """Kafka's 32-bit murmur2 of a key, unsigned (org.apache.kafka.common.utils.Utils.murmur2)."""
    length = len(data)
    h = (SEED ^ length) & MASK
    for word in struct.unpack_from(f"<{length >> 2}I", data):
        k = (word * MULTIPLIER) & MASK
        h = ((h * MULTIPLIER) & MASK) ^ (((k ^ (k >> 24)) * MULTIPLIER) & MASK)
    tail = data[length & ~3 :]
    if tail:
        h = ((h ^ int.from_bytes(tail, "little")) * MULTIPLIER) & MASK
    h = ((h ^ (h >> 13)) * MULTIPLIER) & MASK
    return h ^ (h >> 15)


def partition_of(key: bytes, partitions: int) -> int:
    """The partition that every Kafka client with the default partitioner gives this key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


class Partitioner:
    """`partition_of` for text keys, with a bounded memory of the keys seen."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self._known: dict[str, int] = {}

    def of(self, key: str) -> int:
        """Partition of a key. Text that UTF-8 cannot hold (lone surrogates) is escaped first, never refused."""
        partition = self._known.get(key)
        if partition is None:
            partition = partition_of(key.encode("utf-8", "surrogatepass"), self.partitions)
            if len(self._known) >= REMEMBERED_KEYS:
                self._known.clear()
            self._known[key] = partition
        return partition
