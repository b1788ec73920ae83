"""The group engine: order and repetition change nothing, a surge is told, slow growth and cold starts are not."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy.stats import nbinom
from stillwatch_models.groups import QUIET_WINDOWS, GroupEngine, tail_nats
from stillwatch_models.shard import Batch
from stillwatch_schemas.errors import StateError
from stillwatch_schemas.findings import Finding
from stillwatch_schemas.signals import Contribution, PaneClosed, Signal
from support.builders import T0, make_contribution
from support.traffic import small_config

SEEDS = st.integers(0, 10_000)
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
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
                own.append(share(window * WINDOW + rng.randrange(WINDOW), arrivals, source=source, asn=asn))
            own.append(closed(window * WINDOW + WINDOW - 1, source))
        messages.append([*own, closed(90 * WINDOW, source)])
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
    rows: dict[bytes, bytes | None] = {}
    for start in range(0, len(signals), 20):
        feed(engine, signals[: start + 20], start=start)
        saved = engine.checkpoint()
        rows.update(saved.rows if saved else {})
    assert rows == engine.snapshot()
    assert engine.checkpoint() is None  # nothing changed since


def test_a_surge_is_told_at_once_with_members_and_examples() -> None:
    quiet = [1, 0, 2, 1] * 10
    engine = GroupEngine(CONFIG, 0, 1)
    assert feed(engine, by_window(quiet)) == []
    signals = [*by_window(quiet), share(40 * WINDOW, 25), closed(40 * WINDOW)]
    (found,) = feed(engine, signals, start=len(by_window(quiet)))
    assert (found.kind, found.activity, found.subject_kind, found.subject) == ("asn_surge", "create", "asn", "64500")
    assert found.time_ms == (FIRST + 40 * WINDOW + 1) * PANE_MS  # the pane, not the window
    assert len(found.members) == 25
    assert found.evidence[0].statement.startswith("25 accounts arrived in AS64500")
    assert found.evidence[0].event_ids == ("e200-0",)


def test_an_incident_closes_after_quiet_windows_even_in_one_long_step() -> None:
    surge = [*by_window([1, 0, 2, 1] * 10), share(40 * WINDOW, 25), closed(40 * WINDOW)]
    short, long = GroupEngine(CONFIG, 0, 1), GroupEngine(CONFIG, 0, 1)
    steps = feed(short, [*surge, *(closed(pane) for pane in range(201, 300))])
    jump = feed(long, [*surge, closed(299)])
    assert [finding.activity for finding in jump] == ["create", "close"]
    assert jump == steps
    assert jump[1].uid == jump[0].uid
    assert jump[1].time_ms == (FIRST + (41 + QUIET_WINDOWS) * WINDOW) * PANE_MS
    assert meaning(short) == meaning(long)


def test_slow_growth_is_not_a_surge() -> None:
    growing = [window // 8 for window in range(200)]  # 0 to 24 arrivals a window, one more every eight windows
    assert feed(GroupEngine(CONFIG, 0, 1), by_window(growing)) == []


def test_a_group_without_a_past_is_not_judged() -> None:
    engine = GroupEngine(CONFIG, 0, 1)
    assert feed(engine, by_window([200])) == []
    assert feed(engine, [*by_window([1] * 15), *by_window([1] * 15 + [200])[-2:]]) == []


def test_a_group_waits_for_every_source() -> None:
    engine = GroupEngine(CONFIG, 0, 2)
    head = [
        signal
        for pair in zip(by_window([1] * 40), [closed(i * 3, 1) for i in range(80)], strict=False)
        for signal in pair
    ]
    surge = [share(60 * WINDOW, 50), closed(60 * WINDOW)]
    assert feed(engine, [*head, *surge]) == []
    assert len(feed(engine, [*head, *surge, closed(60 * WINDOW, 1)], start=len(head) + 2)) == 1


def test_groups_of_a_kind_that_is_not_counted_are_passed_over() -> None:
    engine = GroupEngine(CONFIG, 0, 1)
    odd = msgspec.structs.replace(share(0, 500), group="net:192.0.2.0/24")
    assert feed(engine, [odd, closed(0)]) == []
    assert meaning(engine) == {}


def test_the_end_of_a_finite_input_closes_waiting_panes() -> None:
    engine = GroupEngine(CONFIG, 0, 1)
    quiet = by_window([1] * 40)
    feed(engine, [*quiet, share(41 * WINDOW, 40)])
    assert [finding.activity for finding in engine.finish().findings] == ["create"]


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
