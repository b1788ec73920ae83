"""The hard ceiling: at once, once a day, per account, and by arrivals in one pane."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from stillwatch_models import columns
from stillwatch_models.accounts import AccountTable
from stillwatch_models.ceiling import MS_PER_DAY, CeilingRule
from stillwatch_schemas.events import RequestEvent
from stillwatch_schemas.findings import Finding
from support.builders import T0, make_event
from support.traffic import small_config

CONFIG = small_config(hard_ceiling_per_minute=300)
LIMIT = 5
"""Requests in a pane of one second."""


class Watch:
    """A rule and the table it looks at."""

    def __init__(self) -> None:
        self.table = AccountTable()
        self.rule = CeilingRule(CONFIG, "hash", 2)

    def see(self, requests: Sequence[RequestEvent]) -> list[tuple[int, Finding]]:
        events = columns.build(requests, list(range(len(requests))))
        events["pane"] = events["ts"] // 1_000
        events["row"] = self.table.slots([request.account_id for request in requests])
        return list(self.rule.check(events, requests))


def burst(count: int, *, ts: int = T0, account: str = "a", first: int = 0) -> list[RequestEvent]:
    return [
        make_event(event_id=f"{account}{i}", account_id=account, ts=ts + i % 1_000) for i in range(first, first + count)
    ]


def test_the_event_that_passes_the_ceiling_speaks() -> None:
    ((position, found),) = Watch().see(burst(8))
    assert position == 4
    assert found.evidence[0].event_ids == ("a4",)
    assert (found.kind, found.activity, found.tier, found.exchanges) == ("hard_ceiling", "create", "high", 5)
    assert (found.time_ms, found.shard, found.asn) == (T0 + 4, 2, 64500)


def test_batches_do_not_matter() -> None:
    watch = Watch()
    assert watch.see(burst(4)) == []
    ((position, found),) = watch.see(burst(4, first=4))
    assert position == 0
    assert found == Watch().see(burst(8))[0][1]


def test_the_same_number_in_two_panes_is_silent() -> None:
    assert Watch().see([*burst(4), *burst(4, ts=T0 + 1_000)]) == []


def test_accounts_are_counted_apart() -> None:
    mixed = [request for pair in zip(burst(4), burst(4, account="b"), strict=True) for request in pair]
    assert Watch().see(mixed) == []
    both = Watch().see([*burst(9), *burst(9, account="b")])
    assert [(position, found.subject) for position, found in both] == [(4, "a"), (13, "b")]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=60),
    st.lists(st.integers(1, 60), max_size=3),
)
def test_it_counts_as_one_would_by_hand(sent: list[tuple[str, int]], cuts: list[int]) -> None:
    requests = [
        make_event(event_id=str(number), account_id=account, ts=T0 + pane * 1_000)
        for number, (account, pane) in enumerate(sent)
    ]
    wanted, counts, told = [], Counter[tuple[str, int]](), set()
    for number, key in enumerate(sent):
        counts[key] += 1
        if counts[key] == LIMIT and key[0] not in told:
            wanted.append((str(number), key[0]))
            told.add(key[0])  # once a day
    watch, found = Watch(), []
    for start, end in pairwise(sorted({0, *cuts, len(sent)} & set(range(len(sent) + 1)))):
        found += [one for _, one in watch.see(requests[start:end])]
    assert [(one.evidence[0].event_ids[0], one.subject) for one in found] == wanted


def test_once_a_day() -> None:
    watch = Watch()
    assert len(watch.see(burst(9))) == 1
    assert watch.see(burst(9, ts=T0 + 3_600_000)) == []
    watch.rule.settle(watch.table, (T0 + MS_PER_DAY) // 1_000)
    assert len(watch.see(burst(9, ts=T0 + MS_PER_DAY))) == 1


def test_a_restored_rule_remembers_reports_of_closed_panes_only() -> None:
    watch, closed, still_open = Watch(), Watch(), Watch()
    watch.see(burst(9))
    closed.rule.load(watch.rule.dump(T0 // 1_000 + 1))
    assert closed.see(burst(9, ts=T0 + 5_000)) == []
    still_open.rule.load(watch.rule.dump(T0 // 1_000))
    assert len(still_open.see(burst(9))) == 1  # its events come again, and so does the report


def test_an_alert_is_noted_with_the_account_once_its_pane_has_closed() -> None:
    watch = Watch()
    watch.see(burst(9))
    watch.table.rows["events"][0] = 9
    watch.rule.settle(watch.table, T0 // 1_000)
    assert watch.table.rows["first_alert_ms"][0] == 0
    watch.rule.settle(watch.table, T0 // 1_000 + 1)
    assert watch.table.rows["first_alert_ms"][0] == T0 + 4
    assert watch.table.dirty == {0}


def test_counts_of_closed_panes_and_old_reports_are_forgotten() -> None:
    watch = Watch()
    for day in range(5):
        start = T0 + day * MS_PER_DAY
        watch.see([*burst(9, ts=start), *burst(2, ts=start, account="b")])
        watch.rule.settle(watch.table, start // 1_000 + 1)
    assert len(watch.rule._counts) == 0
    assert len(watch.rule._reports) == 1
    assert watch.rule.dump((T0 + 5 * MS_PER_DAY) // 1_000).count(b"[") == 1
