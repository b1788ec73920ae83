"""Checkpoints in Kafka: writes plans to the checkpoint topic and reads a partition's log back. Rules: `checkpoints`."""

from __future__ import annotations

import asyncio
from typing import Any

from stillwatch_streams.checkpoint_image import LogImage, Recovery
from stillwatch_streams.checkpoints import CLAIM_KEY, Plan
from stillwatch_streams.publisher import Message, Publisher
from stillwatch_streams.record_batches import hand_over_whole_batches
from stillwatch_streams.topic_reader import partition_reader, read_until


class CheckpointStore:
    """The checkpoint topic of one agent; its partition n holds the state of source partition n."""

    def __init__(self, topic: str, publisher: Publisher, options: dict[str, Any]) -> None:
        self.topic = topic
        self._publisher = publisher
        self._options = options

    async def recover(self, partition: int, *, generation: int, discard: bool = False) -> Recovery:
        """Read the partition's log to its end and return the last complete checkpoint.

        The end is learnt by writing a claim record and taking its offset: not every broker's `ListOffsets` can be
        believed, and what an old owner had under way before the claim is in the log before it.
        """
        claim = Message(topic=self.topic, partition=partition, key=CLAIM_KEY, value=b"%d" % generation)
        end = (await self._publisher.send([claim]))[0]
        image = LogImage(f"{self.topic}, partition {partition}")
        async with partition_reader(self._options, self.topic, partition, 0) as reader:
            hand_over_whole_batches(reader)
            async for fetched in read_until(reader, self.topic, partition, end):
                image.add((record.key or b"", record.value) for record in fetched)
        return await asyncio.to_thread(image.recovery, generation=generation, discard=discard)

    async def write(self, partition: int, plan: Plan) -> int:
        """Write a checkpoint: rows acknowledged first, then the marker. Returns the bytes written."""
        rows = await self._publisher.send_batches(self.topic, partition, plan.rows)
        return rows + await self._publisher.send_batches(self.topic, partition, [plan.marker])
