"""Events in order: by name and time, then by group, as a plain sort has it."""

from __future__ import annotations

import numpy as np
import pytest
from stillwatch_models.group_kinds import ALWAYS_TOLD, KINDS, SHARED, TOLD_FROM, group_name
from stillwatch_models.grouping import by_account, grouped, order_of
from stillwatch_models.open_panes import EventIds
from stillwatch_models.spans import SEEN, Span


@pytest.mark.parametrize("least", [0, 2**32 - 4, 2**51])
def test_the_order_is_that_of_a_stable_sort(least: int) -> None:
    values = least + np.random.default_rng(3).integers(0, 7, 500)
    assert order_of(values).tolist() == np.argsort(values, kind="stable").tolist()
    assert order_of(values[:0]).tolist() == []


def spoken(senders: str, codes: dict[str, list[int]]) -> Span:
    """One event each of these senders, one a pane."""
    seen = np.zeros(len(senders), SEEN)
    seen["pane"] = np.arange(len(senders))
    for kind, values in codes.items():
        seen[kind] = values
    span = Span()
    offsets = np.arange(len(senders))
    span.add(seen, offsets, list(senders), EventIds(offsets, [f"e{i}" for i in offsets]), offsets)
    return span


def test_events_come_by_group_account_and_time() -> None:
    events = by_account(spoken("bcacb", {"net": [7, 5, 7, 0, 7]}))
    assert events.names.tolist() == ["a", "b", "c"]
    groups = grouped("net", events)
    assert groups is not None
    assert events.at[groups.at].tolist() == [2, 0, 4]  # what c sent from network 5 is not told: it was alone
    assert (groups.values.tolist(), groups.accounts.tolist(), groups.requests.tolist()) == ([7], [2], [1, 2])


@pytest.mark.parametrize("kind", KINDS)
def test_a_group_is_told_from_so_many_accounts_on(kind: str) -> None:
    least = 1 if kind in ALWAYS_TOLD else TOLD_FROM.get(kind, 2)
    assert grouped(kind, by_account(spoken("abcdef"[:least], {kind: [3] * least}))) is not None
    assert grouped(kind, by_account(spoken("abcdef"[:least], {kind: [3] * (least - 1) + [0]}))) is None


@pytest.mark.parametrize("kind", SHARED)
def test_a_group_that_several_accounts_used_is_told_with_one_account(kind: str) -> None:
    bit = 1 << KINDS.index(kind)
    groups = grouped(kind, by_account(spoken("ab", {kind: [3, 4], "shared": [bit, 0]})))
    assert groups is not None
    assert groups.values.tolist() == [3]


def test_groups_are_named_so_that_people_can_read_them() -> None:
    named = [group_name(kind, 1 << 24 | 10 << 16) for kind in ("asn", "net", "client")]
    assert named == ["asn:17432576", "net:10.0.0.0/24", "client:010a0000"]
    assert group_name("topic", 1) == "topic:0"
