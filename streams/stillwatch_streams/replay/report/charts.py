"""The charts of a replay's report."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from stillwatch_streams.replay.campaign_results import CampaignResult
from stillwatch_streams.replay.labels import Label
from stillwatch_streams.replay.recall import CurvePoint, RecallAt, recall_curve_points
from stillwatch_streams.replay.report.by_name import leak_bars, leak_row, share_dots, share_row
from stillwatch_streams.replay.report.drawing import BENIGN, DISTILL, INK, MUTED, WIDE, coloured, drawn, time_axis
from stillwatch_streams.replay.report.story import Story
from stillwatch_streams.replay.statistics import Share

KINDS = {"account": "#3b6ea8", "campaign": "#c8502d", "asn": "#d9a13b", "net": "#7a9e5f", "template": "#8d6ab0"}
OTHER_KIND = "#8a94a0"
BINS = 40
BUCKETS = 56
"""About as many bars as a week has three-hour spans."""

SCORE: dict[str, Any] = {
    "type": "quantitative",
    "scale": {"type": "symlog"},
    "axis": {"grid": False, "values": [-100, -10, -1, 0, 1, 3, 10, 30, 100, 300, 1_000, 10_000]},
    "title": "score",
}
"""The score axis; symlog, because a few scores lie far above all others."""


def incidents_over_time(story: Story) -> str | None:
    """Incidents opened, by kind of subject; None where there were none."""
    opened = [note for note in story.notes if note.activity == "create"]
    start, end = story.summary.first_ts, story.summary.last_ts
    if not opened or start is None or end is None:
        return None
    step = max(60_000, math.ceil((end - start + 1) / BUCKETS / 60_000) * 60_000)
    counts = Counter(((note.time_ms - start) // step, note.subject_kind) for note in opened)
    kinds = sorted({note.subject_kind for note in opened}, key=lambda kind: (kind not in KINDS, kind))
    last = max(end, *(start + (at + 1) * step for at, _ in counts))
    return drawn(
        {
            "width": WIDE,
            "height": 150,
            "data": {"values": [row | _bucket(start, step, row["at"]) for row in _stacked(counts, kinds)]},
            "mark": {"type": "rect", "stroke": "white", "strokeWidth": 0.5},
            "encoding": {
                "x": time_axis("from", [start, last]),
                "x2": {"field": "to"},
                "y": {
                    "field": "bottom",
                    "type": "quantitative",
                    "axis": {"tickMinStep": 1},
                    "title": "incidents opened",
                },
                "y2": {"field": "top"},
                "color": coloured("kind", {kind: KINDS.get(kind, OTHER_KIND) for kind in kinds}),
            },
        }
    )


def _stacked(counts: Counter[tuple[int, str]], kinds: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Bars on top of one another within each bucket."""
    heights: Counter[int] = Counter()
    for at, kind in sorted(counts, key=lambda place: (place[0], kinds.index(place[1]))):
        bottom = heights[at]
        heights[at] += counts[at, kind]
        yield {"at": at, "kind": kind, "bottom": bottom, "top": heights[at]}


def _bucket(start: int, step: int, at: int) -> dict[str, int]:
    return {"from": start + at * step, "to": start + (at + 1) * step}


def score_distribution(story: Story) -> str:
    """Share of accounts by score, of benign and distilling ones where labels tell them apart; both axes compressed."""
    scores = [(_side(story.labels.get(one.account_id)), one.score) for one in story.accounts]
    places = [(side, math.copysign(math.log1p(abs(score)), score)) for side, score in scores if math.isfinite(score)]
    low, high = min((at for _, at in places), default=0.0), max((at for _, at in places), default=1.0)
    width = (high - low) / BINS or 1.0
    totals = Counter(side for side, _ in places)
    counts = Counter((side, min(BINS - 1, int((at - low) / width))) for side, at in places)
    rows = [
        {
            "from": _unpacked(low + at * width),
            "to": _unpacked(low + (at + 1) * width),
            "side": side,
            "share": count / totals[side],
            "zero": 0,
        }
        for (side, at), count in sorted(counts.items())
    ]
    share = {
        "field": "share",
        "type": "quantitative",
        "scale": {"type": "sqrt"},
        "axis": {"format": ".1~%", "values": [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1]},
        "title": "share of accounts",
    }
    bars = {
        "data": {"values": rows},
        "mark": {"type": "rect", "opacity": 0.55},
        "encoding": {
            "x": SCORE
            | {"field": "from", "axis": {"grid": False, "values": [-10, -1, 0, 1, 3, 10, 30, 100, 300, 1000]}},
            "x2": {"field": "to"},
            "y": share,
            "y2": {"field": "zero"},
            "color": coloured("side", {side: colour for side, colour in _SIDES.items() if totals[side]}),
        },
    }
    return drawn({"layer": [bars, *_threshold_rules(story)]})


def _unpacked(place: float) -> float:
    return math.copysign(math.expm1(abs(place)), place)


_SIDES = {"benign": BENIGN, "distilling": DISTILL, "accounts": OTHER_KIND}


def _side(label: Label | None) -> str:
    if label is None:
        return "accounts"
    return "distilling" if label.distill else "benign"


def _threshold_rules(story: Story) -> list[dict[str, Any]]:
    found = story.summary.evaluation
    rows = [
        {"score": one.threshold, "text": f"{one.false_positive_rate:.1%} of benign above"}
        for one in (found.recall if found else ())
        if one.threshold is not None
    ]
    x = SCORE | {"field": "score"}
    rule = {"type": "rule", "strokeDash": [4, 3], "color": MUTED}
    text = {"type": "text", "align": "right", "baseline": "top", "dx": -4, "fontSize": 10, "color": MUTED}
    return [
        {"data": {"values": rows}, "mark": rule, "encoding": {"x": x}},
        *(
            {
                "data": {"values": [row]},
                "mark": text | {"y": 2 + 13 * at},
                "encoding": {"x": x, "text": {"field": "text"}},
            }
            for at, row in enumerate(rows)
        ),
    ]


def recall_curve(story: Story, recall: Iterable[RecallAt]) -> str:
    """Recall against the false-positive rate that a threshold allows, on a logarithmic axis."""
    rows = recall_curve_points(story.labels.values(), story.accounts)
    dots = [{"rate": one.false_positive_rate, "recall": one.pooled.rate} for one in recall]
    x, y = recall_axes(rows)
    return drawn(
        {
            "layer": [
                {
                    "data": {"values": rows},
                    "mark": {"type": "line", "interpolate": "step-after", "color": DISTILL, "strokeWidth": 2},
                    "encoding": {"x": x, "y": y},
                },
                {
                    "data": {"values": dots},
                    "mark": {"type": "point", "filled": True, "size": 60, "color": INK, "opacity": 1},
                    "encoding": {"x": x, "y": y},
                },
            ]
        }
    )


def recall_axes(rows: Sequence[CurvePoint]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Axes of `rate` and `recall`."""
    x = {
        "field": "rate",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [min((row["rate"] for row in rows), default=0.5), 1]},
        "axis": {"format": "~%", "values": [0.0001, 0.001, 0.01, 0.1, 1], "grid": True},
        "title": "benign accounts above the threshold",
    }
    y = {
        "field": "recall",
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "axis": {"format": "%"},
        "title": "distilling accounts above it",
    }
    return x, y


def leak_by_campaign(campaigns: Sequence[CampaignResult]) -> str:
    """Share of each campaign's exchanges that went by before anything was said."""
    return leak_bars([leak_row(one) for one in campaigns], {})


def benign_by_archetype(shares: dict[str, Share]) -> str:
    """Benign accounts alerted, by archetype, the worst first."""
    worst_first = sorted(shares.items(), key=lambda item: -item[1].rate)
    return share_dots([share_row(name, one) for name, one in worst_first], {})
