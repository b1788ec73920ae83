"""The group engine: order and repetition change nothing; the unusual is told where members speak for it."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import nbinom
from stillwatch_models.detectors.groups.surge import tail_nats
from stillwatch_models.group_state import MOST_MEMBERS, SUSPECT_NATS, GroupState
from stillwatch_models.groups import CLOCK_ROW, GroupEngine
from stillwatch_models.shard import Batch
from stillwatch_schemas.errors import StateError
from stillwatch_schemas.findings import Finding
from stillwatch_schemas.signals import Contribution, PaneClosed, Signal
from support.builders import T0, make_contribution
from support.promises import NO_SHRINKING, SEEDS, CheckpointLog
from support.traffic import small_config

CONFIG = small_config(group_history_windows=20)
PANE_MS = 1_000
WINDOW = 5
"""Panes in a window of `small_config`."""
FIRST = T0 // PANE_MS // WINDOW * WINDOW
SOURCES = 3


def share(pane: int, arrivals: int, *, source: int = 0, asn: int = 64500) -> Contribution:
    """`arrivals` accounts, one request each, arrive in a pane counted from FIRST."""
    return make_contribution(
        group=f"asn:{asn}",
        source=source,
        pane=FIRST + pane,
        pane_end_ms=(FIRST + pane + 1) * PANE_MS,
        events=max(arrivals, 1),
        accounts=tuple(sorted(f"a{pane}-{source}-{i}" for i in range(max(arrivals, 1)))),
        accounts_total=max(arrivals, 1),
        new_accounts=arrivals,
        event_ids=(f"e{pane}-{source}",),
    )


def closed(pane: int, source: int = 0) -> PaneClosed:
    return PaneClosed(source=source, pane=FIRST + pane, pane_end_ms=(FIRST + pane + 1) * PANE_MS)


def feed(
    engine: GroupEngine, signals: Sequence[Signal], *, start: int = 0, sizes: Sequence[int] = (1,)
) -> list[Finding]:
    """Feed signals from offset `start` on, in batches of the given sizes, round and round."""
    found, position, turn = [], start, 0
    while position < len(signals):
        end = min(len(signals), position + sizes[turn % len(sizes)])
        turn += 1
        batch = Batch(items=list(signals[position:end]), offsets=list(range(position, end)), next_offset=end)
        found.extend(engine.process(batch).findings)
        position = end
    return found


def by_window(arrivals: Sequence[int], asn: int = 64500) -> list[Signal]:
    """One source; in the first pane of each window so many accounts arrive."""
    signals: list[Signal] = []
    for window, count in enumerate(arrivals):
        signals.append(share(window * WINDOW, count, asn=asn))
        signals.append(closed(window * WINDOW + WINDOW - 1))
    return signals


def pooled(rng: random.Random, window: int, source: int) -> Contribution:
    """A few accounts of one payment instrument, some of them unheard of, some of them under suspicion."""
    names = sorted({f"p{source}-{rng.randrange(8)}" for _ in range(rng.randrange(1, 6))})
    return msgspec.structs.replace(
        share(window * WINDOW + rng.randrange(WINDOW), 0, source=source),
        group=f"payment:{rng.randrange(3):08x}",
        events=3 * len(names),
        accounts=tuple(names),
        accounts_total=len(names),
        fresh_accounts=rng.choice([0, 0, 1]),
        weights=(3,) * len(names),
        evidence=tuple(rng.choice([-4.0, 0.0, 6.0]) for _ in names),
        created=tuple(rng.choice([0, 20_000, 20_001]) for _ in names),
        together=len(names),
        together_expected=0.5 * len(names),
    )


def sources(seed: int) -> list[list[Signal]]:
    """Messages of three source partitions over 60 windows, each in its own order, surges and long silences inside."""
    rng = random.Random(seed)
    surges = {rng.randrange(25, 60): rng.choice([64500, 64501]) for _ in range(3)}
    messages: list[list[Signal]] = []
    for source in range(SOURCES):
        own: list[Signal] = []
        for window in range(60):
            if rng.random() < 0.15 and window not in surges:
                continue  # nothing here, not even progress: the next PaneClosed jumps
            for asn in (64500, 64501):
                arrivals = 60 if surges.get(window) == asn else rng.choice([0, 0, 1, 2])
                told = share(window * WINDOW + rng.randrange(WINDOW), arrivals, source=source, asn=asn)
                own.append(suspicious(told) if arrivals > 10 else told)
            own.append(pooled(rng, window, source))
            own.append(closed(window * WINDOW + WINDOW - 1, source))
        messages.append([*own, closed(120 * WINDOW, source)])
    return messages


def interleaved(messages: Sequence[Sequence[Signal]], rng: random.Random, repeat: float) -> list[Signal]:
    """Each source's messages in order, the sources mixed; some stretches are delivered twice."""
    queues = [list(own) for own in messages]
    out: list[Signal] = []
    while any(queues):
        queue = rng.choice([queue for queue in queues if queue])
        taken = [queue.pop(0) for _ in range(min(len(queue), rng.randrange(1, 12)))]
        out.extend(taken)
        if rng.random() < repeat:
            out.extend(taken)
    return out


def meaning(engine: GroupEngine) -> dict[bytes, bytes]:
    """The groups' rows: all of a snapshot but the offsets, which depend on the order of delivery."""
    return {key: row for key, row in engine.snapshot().items() if key.startswith(b"g:")}


@given(seed=SEEDS, order=SEEDS, repeat=st.sampled_from([0.0, 0.2]))
@settings(max_examples=15, deadline=None, phases=NO_SHRINKING)
def test_interleaving_and_redelivery_change_nothing(seed: int, order: int, repeat: float) -> None:
    messages = sources(seed)
    rng = random.Random(order)
    plain = GroupEngine(CONFIG, 0, SOURCES)
    expected = feed(plain, [signal for own in messages for signal in own], sizes=[10_000])
    mixed = GroupEngine(CONFIG, 0, SOURCES)
    found = feed(mixed, interleaved(messages, rng, repeat), sizes=[rng.choice([1, 3, 17]), 2])
    assert msgspec.json.encode(found) == msgspec.json.encode(expected)
    assert meaning(mixed) == meaning(plain)
    assert {finding.activity for finding in expected} == {"create", "close"}  # there was something to tell


@given(seed=SEEDS, cut=st.floats(0.01, 0.99))
@settings(max_examples=15, deadline=None, phases=NO_SHRINKING)
def test_restoring_anywhere_equals_a_clean_run(seed: int, cut: float) -> None:
    signals = interleaved(sources(seed), random.Random(seed), 0.1)
    clean = GroupEngine(CONFIG, 0, SOURCES)
    expected = feed(clean, signals)
    at = max(1, int(cut * len(signals)))
    first = GroupEngine(CONFIG, 0, SOURCES)
    before = feed(first, signals[:at], sizes=[4])
    survivor = GroupEngine(CONFIG, 0, SOURCES)
    offset = survivor.restore(first.snapshot())
    assert offset <= at
    after = feed(survivor, signals, start=offset, sizes=[7])
    assert survivor.snapshot() == clean.snapshot()
    assert {f.alert_uid: f for f in [*before, *after]} == {f.alert_uid: f for f in expected}


def test_checkpoints_add_up_to_the_snapshot() -> None:
    signals = interleaved(sources(4), random.Random(4), 0.1)
    engine = GroupEngine(CONFIG, 0, SOURCES)
    log = CheckpointLog()
    for start in range(0, len(signals), 20):
        feed(engine, signals[: start + 20], start=start)
        log.add(engine.checkpoint())
    assert log.rows == engine.snapshot()
    assert engine.checkpoint() is None  # nothing changed since


def suspicious(signal: Contribution, nats: float = 9.0) -> Contribution:
    """The same accounts, all of them with evidence of their own."""
    return msgspec.structs.replace(
        signal,
        evidence=(nats,) * len(signal.accounts),
        weights=(20,) * len(signal.accounts),
        judged_accounts=len(signal.accounts),
        suspect_accounts=len(signal.accounts) if nats >= SUSPECT_NATS else 0,
    )


QUIET = [1, 0, 2, 1] * 10


def surged(nats: float) -> list[Signal]:
    """A quiet past, then 25 accounts at once with this much evidence each."""
    surge = suspicious(share(40 * WINDOW, 25), nats)
    return [*by_window(QUIET), surge, closed(40 * WINDOW + WINDOW - 1)]


def test_a_surge_of_suspects_is_told_with_both_halves_of_the_evidence() -> None:
    (found,) = feed(GroupEngine(CONFIG, 0, 1), surged(9.0))
    assert (found.kind, found.activity, found.subject_kind, found.subject) == ("asn_surge", "create", "asn", "64500")
    assert found.time_ms == (FIRST + 41 * WINDOW) * PANE_MS  # the window's end
    assert len(found.members) == 25
    unusual, own = found.evidence
    assert unusual.statement.startswith("25 accounts arrived in AS64500")
    assert unusual.event_ids == ("e200-0",)
    assert own.statement.startswith("25 of 25 members")
    assert own.weight == pytest.approx(-25 * math.log(0.05), rel=1e-6)


@pytest.mark.parametrize("nats", [0.0, -5.0, 2.9])
def test_a_surge_of_innocents_is_watched_and_not_told(nats: float) -> None:
    engine = GroupEngine(CONFIG, 0, 1)
    assert feed(engine, surged(nats)) == []
    assert engine.gauges()["watched"] == 1


def test_suspects_without_anything_unusual_are_not_told() -> None:
    engine = GroupEngine(CONFIG, 0, 1)
    signals = [suspicious(s) if isinstance(s, Contribution) else s for s in by_window([3] * 60)]
    assert feed(engine, signals) == []
    assert engine.gauges()["watched"] == 0


def test_evidence_that_comes_later_is_told_while_the_group_is_watched() -> None:
    """New accounts have no evidence when they arrive; what counts is what the same accounts show within a past."""
    later = suspicious(msgspec.structs.replace(share(40 * WINDOW, 25), pane=FIRST + 50 * WINDOW, new_accounts=0))
    engine = GroupEngine(CONFIG, 0, 1)
    found = feed(engine, [*surged(0.0), later, closed(50 * WINDOW + WINDOW - 1)])
    assert [(f.kind, f.activity) for f in found] == [("asn_surge", "create")]
    others = suspicious(msgspec.structs.replace(share(50 * WINDOW, 25), new_accounts=0))
    assert feed(GroupEngine(CONFIG, 0, 1), [*surged(0.0), others, closed(50 * WINDOW + WINDOW - 1)]) == []


def test_an_incident_closes_after_a_quiet_past_even_in_one_long_step() -> None:
    surge = surged(9.0)
    last = (42 + CONFIG.group_history_windows) * WINDOW
    short, long = GroupEngine(CONFIG, 0, 1), GroupEngine(CONFIG, 0, 1)
    steps = feed(short, [*surge, *(closed(pane) for pane in range(205, last + 5))])
    jump = feed(long, [*surge, closed(last + 4)])
    assert [finding.activity for finding in jump] == ["create", "close"]
    assert jump == steps
    assert jump[1].uid == jump[0].uid
    assert jump[1].time_ms == (FIRST + last) * PANE_MS
    assert meaning(short) == meaning(long)


def test_slow_growth_is_not_a_surge() -> None:
    growing = [window // 8 for window in range(200)]  # 0 to 24 arrivals a window, one more every eight windows
    engine = GroupEngine(CONFIG, 0, 1)
    feed(engine, by_window(growing))
    assert engine.gauges()["watched"] == 0


def test_a_group_without_a_past_is_not_judged_by_it() -> None:
    engine = GroupEngine(CONFIG, 0, 1)
    feed(engine, [*by_window([1] * 15), suspicious(share(15 * WINDOW, 200)), closed(16 * WINDOW)])
    assert engine.gauges()["watched"] == 0


def test_a_group_waits_for_every_source() -> None:
    engine = GroupEngine(CONFIG, 0, 2)
    told = surged(9.0)
    assert feed(engine, told) == []
    assert len(feed(engine, [*told, closed(41 * WINDOW, 1)], start=len(told))) == 1


def test_a_source_that_is_silent_for_too_long_is_passed_over_and_told_what_it_says_later() -> None:
    config = small_config(group_history_windows=20, source_silence_seconds=100.0)
    engine = GroupEngine(config, 0, 2)
    told = [closed(0, 1), *surged(9.0)]
    assert feed(engine, told) == []  # pane 204 is still waited for
    on = [*told, closed(204 + 100)]
    assert [f.activity for f in feed(engine, on, start=len(told))] == ["create"]
    assert (engine.gauges()["silent_sources"], engine.gauges()["late"]) == (1, 0)
    late = [*on, share(150, 3, source=1)]
    feed(engine, late, start=len(on))
    assert (engine.gauges()["silent_sources"], engine.gauges()["late"]) == (1, 1)
    counted = engine.gauges()["contributions"]
    feed(engine, [*late, closed(204 + 130)], start=len(late))
    assert engine.gauges()["contributions"] == counted + 1


def test_a_source_that_never_spoke_does_not_hold_groups_for_ever() -> None:
    engine = GroupEngine(small_config(group_history_windows=20, source_silence_seconds=100.0), 0, 2)
    told = surged(9.0)
    assert feed(engine, told) == []
    assert len(feed(engine, [*told, closed(310)], start=len(told))) == 1


def test_groups_of_a_kind_that_is_not_counted_are_passed_over() -> None:
    engine = GroupEngine(CONFIG, 0, 1)
    odd = msgspec.structs.replace(share(0, 500), group="continent:europe")
    assert feed(engine, [odd, closed(0)]) == []
    assert meaning(engine) == {}


def test_the_end_of_a_finite_input_closes_waiting_panes() -> None:
    engine = GroupEngine(CONFIG, 0, 1)
    quiet = by_window([1] * 40)
    feed(engine, [*quiet, suspicious(share(41 * WINDOW, 40)), share(42 * WINDOW, 0)])
    assert [finding.activity for finding in engine.finish().findings] == ["create"]


def test_beyond_the_bound_the_groups_not_seen_for_longest_go_first() -> None:
    engine = GroupEngine(small_config(group_history_windows=20, max_groups=20), 0, 1)
    signals: list[Signal] = []
    for window in range(60):
        signals.append(share(window * WINDOW, 2, asn=64500))
        signals.append(share(window * WINDOW, 1, asn=1 + window))
        signals.append(closed(window * WINDOW + WINDOW - 1))
    log = CheckpointLog()
    for start in range(0, len(signals), 7):
        feed(engine, signals[: start + 7], start=start)
        log.add(engine.checkpoint())
    groups = {key for key in engine.snapshot() if key.startswith(b"g:")}
    assert len(groups) <= 20
    assert {b"g:asn:64500", b"g:asn:60", b"g:asn:59"} <= groups
    assert engine.gauges()["evicted"] == 61 - len(groups)
    assert log.rows == engine.snapshot()


def test_members_beyond_the_bound_are_the_busiest() -> None:
    engine = GroupEngine(CONFIG, 0, 1)
    signals: list[Signal] = []
    for window in range(30):
        names = ("busy", *(f"passer-by-{window}-{i}" for i in range(10)))
        shared = msgspec.structs.replace(
            share(window * WINDOW, 0),
            group="payment:0000abcd",
            accounts=tuple(sorted(names)),
            accounts_total=len(names),
            weights=tuple(50 if name == "busy" else 1 for name in sorted(names)),
            evidence=(0.0,) * len(names),
        )
        signals += [shared, closed(window * WINDOW + WINDOW - 1)]
    feed(engine, signals)
    state = msgspec.json.decode(engine.snapshot()[b"g:payment:0000abcd"], type=GroupState)
    assert len(state.members) <= 2 * MOST_MEMBERS
    assert "busy" in state.members
    assert state.size == pytest.approx(301, rel=0.15)


@pytest.mark.parametrize(
    ("count", "mean", "variance"), [(10, 0.5, 2.0), (40, 12.0, 30.0), (3, 7.0, 7.36), (1, 0.1, 9.0)]
)
def test_the_tail_is_the_negative_binomials(count: int, mean: float, variance: float) -> None:
    p = mean / variance
    expected = -nbinom.logsf(count - 1, mean * p / (1 - p), p)
    assert math.isclose(tail_nats(count, mean, variance), expected, rel_tol=1e-9)


def test_the_tail_stays_finite() -> None:
    assert tail_nats(1_000_000, 0.0, 0.0) == 700.0
    assert tail_nats(50, 1.0, 0.0) > tail_nats(20, 1.0, 0.0) > tail_nats(20, 1.0, 5.0) > 0


def test_state_counted_in_other_windows_is_refused() -> None:
    engine = GroupEngine(CONFIG, 2, 1)
    feed(engine, by_window([1, 2, 3]))
    other = GroupEngine(small_config(group_history_windows=20, group_window_seconds=60.0), 2, 1)
    with pytest.raises(StateError, match=r"partition 2 .*engine\.group_window_seconds .*--reset-state"):
        other.restore(engine.snapshot())


def test_state_of_another_layout_is_refused() -> None:
    engine = GroupEngine(CONFIG, 2, 1)
    feed(engine, by_window([1, 2, 3]))
    rows = engine.snapshot()
    rows[CLOCK_ROW] = msgspec.json.encode(msgspec.json.decode(rows[CLOCK_ROW]) | {"version": 1})
    with pytest.raises(StateError, match=r"partition 2 has state version 1, .*--reset-state"):
        GroupEngine(CONFIG, 2, 1).restore(rows)
