"""The promises of the core: batches, crashes and other accounts change nothing; memory is bounded."""

from __future__ import annotations

import itertools
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stillwatch_models.accounts import STATE_VERSION
from stillwatch_models.engine import AccountEngine
from stillwatch_models.shard import Batch
from stillwatch_schemas.errors import StateError
from stillwatch_schemas.events import RequestEvent
from support.builders import T0, make_event
from support.promises import (
    NO_SHRINKING,
    SEEDS,
    a_crash_changes_nothing,
    any_split_gives_the_same_bytes,
    checkpoints_add_up,
    same_outputs,
    same_state,
)
from support.traffic import run, small_config, traffic


@given(seed=SEEDS, split=SEEDS)
@settings(max_examples=12, deadline=None, phases=NO_SHRINKING)
def test_any_split_into_batches_gives_the_same_bytes(seed: int, split: int) -> None:
    any_split_gives_the_same_bytes(traffic(seed), split)


@pytest.mark.parametrize("max_entities", [1_000_000, 12])
def test_a_pane_folded_in_parts_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch, max_entities: int) -> None:
    items = traffic(5)
    whole, parts = (AccountEngine(small_config(max_entities=max_entities), 0) for _ in range(2))
    one = run(whole, items, itertools.repeat(len(items)))
    monkeypatch.setattr("stillwatch_models.segments.CELLS_AT_ONCE", 2)
    monkeypatch.setattr("stillwatch_models.segments.PART_OF_A_PANE", 3)
    many = run(parts, items, itertools.repeat(len(items)))
    same_outputs(many, one)
    same_state(parts, whole)


@given(seed=SEEDS, cut=st.integers(1, 790))
@settings(max_examples=12, deadline=None, phases=NO_SHRINKING)
def test_a_crash_anywhere_changes_neither_state_nor_findings(seed: int, cut: int) -> None:
    a_crash_changes_nothing(traffic(seed), cut)


@given(seed=SEEDS)
@settings(max_examples=12, deadline=None, phases=NO_SHRINKING)
def test_checkpoints_add_up_to_the_snapshot(seed: int) -> None:
    checkpoints_add_up(traffic(seed))


def test_the_traffic_of_these_tests_raises_findings_of_every_activity() -> None:
    """Otherwise the properties above would hold for an engine that says nothing."""
    said = set()
    for seed in range(6):
        engine = AccountEngine(small_config(), 0)
        out = run(engine, traffic(seed, events=1500), itertools.repeat(100))
        said |= {(finding.kind, finding.activity) for finding in out.findings}
    assert {("distillation", "create"), ("distillation", "update"), ("hard_ceiling", "create")} <= said


def test_findings_come_before_groups_are_told_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stillwatch_models.engine.CONTRIBUTIONS_AT_ONCE", 7)
    items = traffic(5)
    batch = Batch(items=list(items), offsets=list(range(len(items))), next_offset=len(items))
    one = AccountEngine(small_config(), 0).process(batch)
    first, *told = AccountEngine(small_config(), 0).steps(batch)
    assert first.findings == one.findings
    assert [len(part.signals) for part in (first, *told[:2], told[-1])] == [0, 7, 7, 1]
    assert [signal for part in told for signal in part.signals] == one.signals


def test_evidence_tells_the_length_of_its_blocks_in_a_unit_that_fits() -> None:
    findings = run(AccountEngine(small_config(), 0), traffic(1), itertools.repeat(64)).findings
    told = [reason.statement for found in findings for reason in found.evidence if reason.signal == "harvest"]
    assert told
    assert all(statement.endswith("different blocks of 5 s") for statement in told)


@given(seed=SEEDS)
@settings(max_examples=10, deadline=None, phases=NO_SHRINKING)
def test_the_order_within_a_pane_does_not_matter(seed: int) -> None:
    """Arrival order inside one open pane is shuffled; what the accounts look like afterwards is equal."""
    rng = random.Random(seed)
    events = [item for item in traffic(seed, events=300) if isinstance(item, RequestEvent)]
    unique = list({event.event_id: event for event in events}.values())
    inside = [msgspec.structs.replace(event, ts=T0 + event.ts % 1000) for event in unique]
    shuffled = rng.sample(inside, len(inside))
    snapshots = []
    for order in (inside, shuffled):
        engine = AccountEngine(small_config(hard_ceiling_per_minute=100_000), 0)  # the ceiling does look at arrivals
        run(engine, order, itertools.repeat(50))
        engine.finish()
        snapshots.append({key: row for key, row in engine.snapshot().items() if key.startswith(b"a:")})
    assert snapshots[0] == snapshots[1]


@given(seed=SEEDS)
@settings(max_examples=10, deadline=None, phases=NO_SHRINKING)
def test_unrelated_accounts_do_not_change_an_accounts_sums(seed: int) -> None:
    items = [item for item in traffic(seed) if isinstance(item, RequestEvent)]
    renamed = [
        item if item.account_id == "acct-0" else msgspec.structs.replace(item, account_id="other", output_tokens=1)
        for item in items
    ]
    rows = []
    for others in (items, renamed):
        engine = AccountEngine(small_config(min_reference_accounts=1000), 0)
        run(engine, others, itertools.repeat(40))
        engine.finish()
        slot = engine.table.slots(["acct-0"])[0]
        rows.append({name: engine.table.row(slot)[name].tobytes() for name in ("sums", "hours", "registers", "events")})
    assert rows[0] == rows[1]


def test_repeated_event_ids_of_a_pane_count_once() -> None:
    engine = AccountEngine(small_config(), 0)
    run(engine, [make_event()] * 5, itertools.repeat(2))
    engine.finish()
    assert [row.events for row in engine.accounts()] == [1]
    assert engine.counters["repeated"] == 4


def test_a_late_event_is_folded_and_counted() -> None:
    engine = AccountEngine(small_config(), 0)
    late = make_event(event_id="late", ts=T0 - 60_000)
    run(engine, [make_event(), make_event(event_id="ev-2", ts=T0 + 30_000), late], itertools.repeat(1))
    engine.finish()
    assert engine.counters["late"] == 1
    assert [row.events for row in engine.accounts()] == [3]


def test_a_flood_of_account_names_forgets_itself_first() -> None:
    config = small_config(max_entities=20)
    engine = AccountEngine(config, 0)
    regulars = [make_event(event_id=f"r{i}", account_id=f"regular-{i % 10}", ts=T0 + 100 * i) for i in range(100)]
    flood = [make_event(event_id=f"f{i}", account_id=f"flood-{i}", ts=T0 + 20_000 + 10 * i) for i in range(2_000)]
    run(engine, [*regulars, *flood], itertools.repeat(64))
    engine.finish()
    known = {row.account_id for row in engine.accounts()}
    assert {f"regular-{i}" for i in range(10)} <= known
    assert len(known) <= config.max_entities
    assert engine.counters["evicted_flood"] == 2_000 - (len(known) - 10)
    assert len(engine.table.rows) < 2_000  # slots were used again


def test_the_hard_ceiling_speaks_with_the_event_that_passes_it_and_once_a_day() -> None:
    engine = AccountEngine(small_config(), 0)  # 480 a minute are 8 in a pane of 1 s
    events = [make_event(event_id=f"e{i}", ts=T0 + i) for i in range(20)]
    quiet = engine.process(Batch(items=list(events[:7]), offsets=list(range(7)), next_offset=7))
    loud = engine.process(Batch(items=list(events[7:]), offsets=list(range(7, 20)), next_offset=20))
    assert quiet.findings == []
    assert [finding.kind for finding in loud.findings] == ["hard_ceiling"]
    assert loud.findings[0].evidence[0].event_ids == ("e7",)
    again = [make_event(event_id=f"g{i}", ts=T0 + 60_000 + i) for i in range(20)]
    assert run(engine, again, itertools.repeat(20)).findings == []


def test_a_snapshot_of_another_version_is_refused_with_a_way_out() -> None:
    engine = AccountEngine(small_config(), 3)
    run(engine, [make_event()], itertools.repeat(1))
    rows = engine.snapshot()
    rows[b"m:clock"] = rows[b"m:clock"].replace(b'"version":%d' % STATE_VERSION, b'"version":99')
    with pytest.raises(StateError, match=r"partition 3 has state version 99.*--reset-state"):
        AccountEngine(small_config(), 3).restore(rows)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("pane_seconds", 60.0), ("reference_seconds", 1e6), ("text_memory", 32_768), ("seed", 8)],
)
def test_state_counted_in_other_measures_is_refused(setting: str, value: float) -> None:
    engine = AccountEngine(small_config(), 3)
    run(engine, traffic(0), itertools.repeat(200))
    other = AccountEngine(small_config(**{setting: value}), 3)
    with pytest.raises(StateError, match=rf"partition 3 .*engine\.{setting} .*--reset-state"):
        other.restore(engine.snapshot())


def test_settings_that_state_is_not_counted_in_may_change() -> None:
    items = traffic(0)
    engine = AccountEngine(small_config(), 0)
    run(engine, items, itertools.repeat(200))
    engine.finish()
    other = AccountEngine(small_config(budget_per_10k_account_days=1.0, lateness_seconds=5.0), 0)
    start = other.restore(engine.snapshot())
    later = max(item.ts for item in items) + 3_600_000
    more = [make_event(event_id=f"later{n}", ts=later + n) for n in range(5)]
    run(other, [*items, *more], itertools.repeat(5), start=start)
    other.finish()
    assert other.counters["events"] == engine.counters["events"] + 5
