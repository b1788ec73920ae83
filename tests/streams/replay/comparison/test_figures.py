"""Two evaluations side by side, on a world that can be counted on fingers."""

from __future__ import annotations

import pytest
from stillwatch_streams.replay.comparison.figures import LabelledDifferences, compare_evaluations
from stillwatch_streams.replay.report import Story
from support.builders import T0
from support.stories import make_label, make_note, make_row, make_story

LABELS = [*(make_label(f"b{n}", archetype="bot" if n < 10 else "human") for n in range(100))]
LABELS += [make_label(f"x{n}", "X") for n in range(4)] + [make_label(f"y{n}", "Y") for n in range(2)]
HOUR = 3_600_000


def story(caught: dict[str, int | None]) -> Story:
    """Benign accounts score 0 to 0.99; who is caught scores 5, and is alerted where a time is given."""
    rows = [make_row(f"b{n}", n / 100, caught.get(f"b{n}")) for n in range(100)]
    rows += [make_row(name, 5.0, when) for name, when in caught.items() if not name.startswith("b")]
    notes = [make_note(name, when) for name, when in caught.items() if when is not None]
    return make_story(rows, notes, labels=LABELS)


@pytest.fixture
def found() -> LabelledDifferences:
    a = story({"x0": T0 + HOUR, "x1": None, "x2": None, "b3": T0})
    b = story({"x0": T0 + 2 * HOUR, "x1": T0 + HOUR // 2, "y0": None, "y1": T0 + 5 * HOUR})
    differences = compare_evaluations(a, b)
    assert differences is not None
    return differences


def test_gains_and_losses_are_counted_account_by_account(found: LabelledDifferences) -> None:
    """A has x0, x1, x2 above every benign account; B has x0, x1, y0, y1."""
    shares = {pair.figure: pair for pair in found.shares}
    recall = shares["recall at 0.1%"]
    assert (recall.a.hits, recall.b.hits, recall.gained, recall.lost) == (3, 4, 2, 1)
    assert recall.p_value == 1.0
    alerted = shares["distilling accounts alerted"]
    assert (alerted.a.hits, alerted.b.hits, alerted.gained, alerted.lost) == (1, 3, 2, 0)
    benign = shares["benign accounts alerted"]
    assert (benign.a.hits, benign.b.hits, benign.gained, benign.lost) == (1, 0, 0, 1)


def test_campaigns_stand_side_by_side(found: LabelledDifferences) -> None:
    x, y = found.campaigns
    assert (x.campaign_id, x.accounts, x.a.leaked, x.b.leaked) == ("X", 4, 4, 4)
    assert (y.a.leaked, y.b.leaked) == (48, 10)
    assert (x.recall_a["0.001"].hits, x.recall_b["0.001"].hits) == (3, 2)
    assert (found.campaigns_found_a.hits, found.campaigns_found_b.hits) == (0, 2)


def test_macro_recall_weighs_campaigns_alike(found: LabelledDifferences) -> None:
    assert [(pair.a.rate, pair.b.rate) for pair in found.macro] == [(0.375, 0.75)] * 2


def test_false_positives_are_told_by_archetype(found: LabelledDifferences) -> None:
    assert {pair.archetype: (pair.a.hits, pair.b.hits) for pair in found.archetypes} == {"bot": (1, 0), "human": (0, 0)}


def test_without_labels_there_is_nothing_to_say() -> None:
    assert compare_evaluations(make_story([]), make_story([])) is None
