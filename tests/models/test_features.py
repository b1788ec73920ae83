"""The features table: well formed, finite and sane for any traffic, and right where the answer is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stillwatch_models import features
from stillwatch_models.accounts import HOURS, ROW, Rows
from stillwatch_models.features import FEATURES, INDEX
from stillwatch_schemas.events import RequestEvent, Sketch
from support.builders import T0, make_event
from support.folding import rows_of
from support.promises import NO_SHRINKING, SEEDS
from support.traffic import traffic

DAY = 86_400


def feature(name: str, rows: Rows) -> float:
    return float(features.matrix(rows)[0, INDEX[name]])


def asks(times: Sequence[float], **fields: object) -> list[RequestEvent]:
    """One account's requests at these seconds."""
    return [make_event(event_id=f"e{n}", ts=T0 + int(s * 1000), **fields) for n, s in enumerate(times)]


def texts(times: Sequence[float], distinct: int, **fields: object) -> list[RequestEvent]:
    """Requests that go through `distinct` texts, each with its own skeleton and topics, again and again."""
    return [
        make_event(
            event_id=f"e{n}",
            ts=T0 + int(s * 1000),
            prompt=None,
            conversation_id=f"c{n}",
            sketch=Sketch(
                text_hash=1 + n % distinct,
                template=1 + n % distinct,
                cells=tuple((4 * (n % distinct) + k) % 4096 for k in range(4)),
            ),
            **fields,
        )
        for n, s in enumerate(times)
    ]


def test_the_table_is_well_formed() -> None:
    assert len(INDEX) == len(FEATURES)
    for row in FEATURES:
        assert row.low < row.high
        assert all((row.name, row.unit, row.meaning, row.horizon))


@given(seed=SEEDS, stretch=st.sampled_from([1, 40, 3_000]))
@settings(max_examples=15, deadline=None, phases=NO_SHRINKING)
def test_every_feature_is_finite_and_sane(seed: int, stretch: int) -> None:
    """Also for traffic that is stretched over months."""
    items = [i for i in traffic(seed, 300) if isinstance(i, RequestEvent)]
    rows = rows_of(
        [
            make_event(**({f: getattr(i, f) for f in i.__struct_fields__} | {"ts": T0 + (i.ts - T0) * stretch}))
            for i in items
        ]
    )
    values = features.matrix(rows)
    assert np.isfinite(values).all()
    scaled = features.scaled(values)
    assert ((scaled >= 0) & (scaled <= 1)).all()
    for row in FEATURES:
        if row.unit in {"share", "0 to 1", "probability"}:
            assert (values[:, INDEX[row.name]] >= 0).all(), row.name
            assert (values[:, INDEX[row.name]] <= 1).all(), row.name
    assert (values[:, INDEX["coverage_exponent"]] <= 1.6).all()


@given(seed=SEEDS)
@settings(max_examples=10, deadline=None, phases=NO_SHRINKING)
def test_a_row_does_not_depend_on_its_neighbours(seed: int) -> None:
    rows = rows_of([i for i in traffic(seed, 200) if isinstance(i, RequestEvent)])
    whole = features.matrix(rows)
    assert (whole == np.concatenate([features.matrix(rows[i : i + 1]) for i in range(len(rows))])).all()


def test_an_empty_row_has_finite_features() -> None:
    assert np.isfinite(features.matrix(np.zeros(3, ROW))).all()


def test_scaling_clips_to_the_range_of_the_table() -> None:
    low, high = (np.array([[getattr(f, side) for f in FEATURES]]) for side in ("low", "high"))
    assert (features.scaled(low - 5) == 0).all()
    assert (features.scaled(high + 5) == 1).all()
    assert features.scaled((low + high) / 2) == pytest.approx(0.5)


def test_volume_is_per_day() -> None:
    assert feature("events_per_day", rows_of(asks(range(0, 2 * DAY, 1_000)))) == pytest.approx(86.4, rel=0.02)


def test_an_account_that_speeds_up_surges() -> None:
    steady = list(range(0, 3 * DAY, 1_800))
    assert feature("own_surge", rows_of(asks(steady))) == pytest.approx(0.0, abs=0.6)
    assert feature("own_surge", rows_of(asks([*steady, *range(3 * DAY, 3 * DAY + 3_600, 5)]))) > 4


def ramp(daily: float, days: int, start: float = 20.0) -> list[float]:
    """Seconds of an account's requests, evenly within each day, so many per cent more every day."""
    return [
        day * DAY + (i + 0.5) * DAY / n for day in range(days) for n in [round(start * daily**day)] for i in range(n)
    ]


def test_a_slow_ramp_cannot_teach_the_account_s_own_baseline() -> None:
    """+5 % a day: the average hour follows it half way, the frozen first week does not."""
    after = {days: rows_of(asks(ramp(1.05, days))) for days in (13, 30, 60)}
    assert feature("own_growth", after[13]) == 0.0  # too young to be measured against its own first week
    assert feature("own_growth", after[30]) > 1.0
    assert feature("own_growth", after[60]) > 3.0
    assert feature("own_surge", after[60]) < 2.0
    assert abs(feature("own_growth", rows_of(asks(ramp(1.0, 60))))) < 0.1


def test_an_account_that_falls_asleep_shrinks() -> None:
    busy = [s for s in ramp(1.0, 40) if s < 14 * DAY or s % (10 * DAY) < DAY]
    assert feature("own_growth", rows_of(asks(busy))) < -0.5


def test_rhythm_tells_a_loop_from_a_person() -> None:
    rng = np.random.default_rng(1)
    loop = rows_of(asks(np.cumsum(rng.normal(6.0, 1.0, 300).clip(1)).tolist()))
    person = rows_of(asks(np.cumsum(rng.lognormal(4.0, 1.8, 300).clip(1, 1_700)).tolist()))
    assert feature("gap_cv", loop) < 0.3 < 0.9 < feature("gap_cv", person)  # noqa: PLR0133 - bounds between the two
    assert feature("gap_spread", loop) < 1.0
    assert feature("gap_spread", person) > 1.5


def test_a_few_gaps_are_not_yet_a_rhythm() -> None:
    assert feature("gap_spread", rows_of(asks([0, 6, 12, 18]))) > 2


def test_hours_tell_round_the_clock_from_an_evening() -> None:
    around, evening = range(0, 2 * DAY, 600), range(18 * 3_600, 19 * 3_600, 60)
    assert feature("hour_entropy", rows_of(asks(around))) == pytest.approx(1.0, abs=0.02)
    assert feature("hour_entropy", rows_of(asks(evening))) < 0.05
    assert (rows_of(asks(around))["hours"] > 0).sum() == HOURS


def test_template_mass_is_the_chance_that_two_prompts_share_a_skeleton() -> None:
    times = range(0, 2_000, 10)
    assert feature("template_mass", rows_of(texts(times, 1))) == pytest.approx(1.0, abs=0.01)
    assert feature("template_mass", rows_of(texts(times, 2))) == pytest.approx(0.5, abs=0.05)
    assert feature("template_mass", rows_of(texts(times, 200))) < 0.03


def test_freshness_and_growth_fall_when_texts_return() -> None:
    times = range(0, 4_000, 10)
    fresh, stale = rows_of(texts(times, 400)), rows_of(texts(times, 20))
    assert feature("freshness", fresh) > 0.8
    assert feature("freshness", stale) < 0.15
    assert feature("coverage_exponent", fresh) > 0.85 > feature("coverage_exponent", stale)
    assert feature("coverage", fresh) == pytest.approx(np.log2(1_600), abs=0.5)


def test_what_repeats_for_months_does_not_become_fresh() -> None:
    """Distinct counts never fade, so they must not be set against sums that do."""
    rows = rows_of(texts(range(0, 90 * DAY, DAY // 10), 90))  # each text ten times in ninety days
    assert feature("freshness", rows) < 0.15
    assert feature("coverage_exponent", rows) < 0.9
