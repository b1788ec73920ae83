"""Checksums of fetched record batches, computed with the processor's help.

Every batch carries a CRC-32C. aiokafka computes it in software: half a microsecond a kilobyte, more than parsing the
records. `google-crc32c` takes a tenth of that. What it finds in order aiokafka need not check again; everything else
(damage, old formats) is left to aiokafka's own check, so the errors are aiokafka's too.
"""

from __future__ import annotations

import struct
from typing import Any

import google_crc32c
from aiokafka.protocol.api import Request

FETCH_KEY = 1
"""Kafka's number for fetch requests."""
HEAD = struct.Struct(">qiiBI")
"""Base offset, bytes after this and the next field, leader epoch, format version, CRC-32C of everything after it."""
LENGTH_END = 12
LEAST_BYTES = 61
"""Of a batch without records."""
FORMAT = 2
"""The only one with such a checksum."""

Place = tuple[str, int]
"""Topic and partition."""


class CheckingClient:
    """aiokafka's client to its fetcher; notes of which partitions the latest fetch is in order."""

    def __init__(self, client: Any) -> None:
        self.intact: set[Place] = set()
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(self, node_id: int, request: Request) -> Any:
        """Send a request; what it brings is checked before anybody sees it."""
        response = await self._client.send(node_id, request)
        if response.API_KEY == FETCH_KEY:
            self._check(response.topics)
        return response

    def _check(self, topics: Any) -> None:
        for topic, partitions in topics:
            for partition, *_, memory in partitions:
                if is_intact(memory or b""):
                    self.intact.add((topic, partition))
                else:
                    self.intact.discard((topic, partition))


def is_intact(memory: bytes) -> bool:
    """Whether all whole batches have the right checksum; False, too, where that can't be said quickly."""
    if google_crc32c.implementation != "c":
        return False
    start = 0
    while start + LEAST_BYTES <= len(memory):
        _, length, _, version, checksum = HEAD.unpack_from(memory, start)
        end = start + LENGTH_END + length
        if version != FORMAT or length < LEAST_BYTES - LENGTH_END:
            return False
        if end > len(memory):
            return True  # cut short by the broker; nobody reads it
        if google_crc32c.value(memory[start + HEAD.size : end]) != checksum:
            return False
        start = end
    return True
