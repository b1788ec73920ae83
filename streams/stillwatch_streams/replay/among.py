"""Counting labelled accounts: how many of them are among those that something happened to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from stillwatch_streams.replay.labels import Label
from stillwatch_streams.replay.statistics import Share, share


def among(labels: Sequence[Label], hit: Iterable[str]) -> Share:
    """Share of the labelled accounts that are in `hit`."""
    wanted = frozenset(hit)
    return share(sum(label.account_id in wanted for label in labels), len(labels))


def among_by(labels: Sequence[Label], field: str, hit: Iterable[str]) -> dict[str, Share]:
    """The same, for each value of a label's field."""
    wanted = frozenset(hit)
    return {name: among(group, wanted) for name, group in grouped(labels, field).items()}


def grouped(labels: Iterable[Label], field: str) -> dict[str, list[Label]]:
    """Labels by the value of a field, in the values' order."""
    groups: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        groups[getattr(label, field)].append(label)
    return dict(sorted(groups.items()))
