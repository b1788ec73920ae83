"""A process of a pool that dies in the middle of its answer: importable, so that the pool's processes find it."""

from __future__ import annotations

import os
import struct
import sys


def die_while_answering(_: int) -> None:
    """Promise a long answer, send its beginning, and end."""
    answers = sys._getframe(1).f_locals["result_queue"]
    os.write(answers._writer.fileno(), struct.pack("!i", 100_000) + b"x" * 100)
    os._exit(9)
