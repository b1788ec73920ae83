"""The charts of a comparison: both runs in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stillwatch_streams.replay.comparison.figures import ArchetypePair, CampaignPair
from stillwatch_streams.replay.comparison.incidents import first_times
from stillwatch_streams.replay.recall import recall_curve_points
from stillwatch_streams.replay.report.charts import recall_axes
from stillwatch_streams.replay.report.drawing import INK, MUTED, WIDE, WIDTH, coloured, drawn, time_axis
from stillwatch_streams.replay.report.story import Story

COLOURS = {"A": "#6b7785", "B": "#0f8a7e"}
SIDE: dict[str, Any] = coloured("side", COLOURS)
OFFSET = {"field": "side", "type": "nominal"}


def incidents_so_far(a: Story, b: Story) -> str | None:
    """Incidents opened until each moment; None where neither opened one."""
    start, end = a.summary.first_ts, a.summary.last_ts
    rows = []
    for side, story in zip(COLOURS, (a, b), strict=True):
        times = sorted(first_times(story.notes).values())
        steps = [(start, 0), *((when, number) for number, when in enumerate(times, 1)), (end, len(times))]
        rows += [{"side": side, "at": when, "incidents": number} for when, number in steps]
    if start is None or end is None or not any(row["incidents"] for row in rows):
        return None
    last = max(int(row["at"] or 0) for row in rows)
    y = {"field": "incidents", "type": "quantitative", "axis": {"tickMinStep": 1}, "title": "incidents so far"}
    return drawn(
        {
            "width": WIDE,
            "height": 170,
            "data": {"values": rows},
            "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
            "encoding": {"x": time_axis("at", [start, last]), "y": y, "color": SIDE},
        }
    )


def recall_curves(a: Story, b: Story) -> str:
    """Recall against the false-positive rate, of both."""
    rows: list[dict[str, Any]] = []
    for side, story in zip(COLOURS, (a, b), strict=True):
        points = recall_curve_points(story.labels.values(), story.accounts)
        rows += [{**point, "side": side} for point in points]
    x, y = recall_axes(recall_curve_points(a.labels.values(), a.accounts))
    line = {"type": "line", "interpolate": "step-after", "strokeWidth": 2}
    return drawn({"data": {"values": rows}, "mark": line, "encoding": {"x": x, "y": y, "color": SIDE}})


def leaks(campaigns: Sequence[CampaignPair]) -> str:
    """What each campaign leaked before its first alert, in both."""
    rows = [
        {
            "side": side,
            "campaign": f"{pair.campaign_id} · {pair.family}" if pair.family else pair.campaign_id,
            "share": one.leaked_share,
            "text": f"{one.leaked:,}" + ("" if one.first_alert_ts else ", never"),
        }
        for pair in campaigns
        for side, one in zip(COLOURS, (pair.a, pair.b), strict=True)
    ]
    y = {"field": "campaign", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 190}}
    x = {
        "field": "share",
        "type": "quantitative",
        "scale": {"domain": [0, 1.3]},
        "axis": {"format": "%", "values": [0, 0.25, 0.5, 0.75, 1]},
        "title": "leaked before the first alert",
    }
    where = {"x": x, "y": y, "yOffset": OFFSET}
    return drawn(
        {
            "height": {"step": 12},
            "width": WIDTH - 130,
            "data": {"values": rows},
            "layer": [
                {"mark": {"type": "bar"}, "encoding": {**where, "color": SIDE}},
                {
                    "mark": {"type": "text", "align": "left", "dx": 4, "fontSize": 9, "color": INK},
                    "encoding": {**where, "text": {"field": "text"}},
                },
            ],
        }
    )


def false_positives(archetypes: Sequence[ArchetypePair]) -> str:
    """Benign accounts alerted by archetype, with 95 % intervals, in both."""
    rows = [
        {
            "side": side,
            "archetype": pair.archetype,
            "rate": one.rate,
            "low": one.low,
            "high": one.high,
            "text": f"{one.hits} of {one.total:,}",
        }
        for pair in archetypes
        for side, one in zip(COLOURS, (pair.a, pair.b), strict=True)
    ]
    y = {"field": "archetype", "type": "nominal", "sort": None, "title": None}
    x = {"field": "rate", "type": "quantitative", "axis": {"format": "~%"}, "title": "benign accounts alerted"}
    where = {"y": y, "yOffset": OFFSET}
    interval = {"x": x | {"field": "low"}, "x2": {"field": "high"}, **where}
    text = {"type": "text", "align": "left", "dx": 5, "fontSize": 9, "color": MUTED}
    return drawn(
        {
            "height": {"step": 12},
            "width": WIDTH - 110,
            "data": {"values": rows},
            "layer": [
                {"mark": {"type": "rule", "color": MUTED}, "encoding": interval},
                {
                    "mark": {"type": "point", "filled": True, "size": 45, "opacity": 1},
                    "encoding": {"x": x, **where, "color": SIDE},
                },
                {"mark": text, "encoding": {"x": x | {"field": "high"}, **where, "text": {"field": "text"}}},
            ],
        }
    )
