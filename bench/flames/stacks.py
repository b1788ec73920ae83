"""Sampled stacks, `frame;frame;... count` a line, summed up."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

OURS = re.compile(r"\(stillwatch_\w+/[\w/]+\.py")
FRAME = re.compile(r"^(?P<function>.*) \((?P<file>[^():]+)(:\d+)?\)$")
WAITING = ("selectors.py", "select (")
LIBRARIES = "Kafka client, Faust and event loop"
FEWEST = 0.01


def shares(lines: Iterable[str]) -> dict[str, float]:
    """Share of busy samples by the innermost frame of ours, `module.function`, largest first; below 1 % together."""
    found: Counter[str] = Counter()
    for frames, count in _stacks(lines):
        ours = [frame for frame in frames if OURS.search(frame)]
        found[_name(ours[-1]) if ours and not _in_client(frames) else LIBRARIES] += count
    total = sum(found.values())
    large = {name: round(count / total, 4) for name, count in found.most_common() if count >= FEWEST * total}
    return {**large, "everything else": round(1 - sum(large.values()), 4)}


def _stacks(lines: Iterable[str]) -> Iterator[tuple[list[str], int]]:
    """Stacks in which something was done, with how often they were seen."""
    for line in lines:
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        if count.isdigit() and not any(word in frames[-1] for word in WAITING):
            yield frames, int(count)


def _in_client(frames: list[str]) -> bool:
    """In the client's own thread and tasks our transport is only a guest."""
    return not any("runner.py" in frame for frame in frames)


def _name(frame: str) -> str:
    found = FRAME.match(frame)
    if found is None:
        return frame
    module = found["file"].removesuffix(".py").replace("/", ".").split(".", 1)[-1]
    return f"{module}.{found['function']}"
