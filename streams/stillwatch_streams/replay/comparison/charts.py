"""The charts of a comparison: both runs in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stillwatch_streams.replay.comparison.figures import ArchetypePair, CampaignPair
from stillwatch_streams.replay.comparison.incidents import first_times
from stillwatch_streams.replay.recall import recall_curve_points
from stillwatch_streams.replay.report.by_name import leak_bars, leak_row, share_dots, share_row
from stillwatch_streams.replay.report.charts import recall_axes
from stillwatch_streams.replay.report.drawing import WIDE, coloured, drawn, time_axis
from stillwatch_streams.replay.report.story import Story

COLOURS = {"A": "#6b7785", "B": "#0f8a7e"}
SIDE: dict[str, Any] = coloured("side", COLOURS)


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
        {"side": side, **leak_row(one)}
        for pair in campaigns
        for side, one in zip(COLOURS, (pair.a, pair.b), strict=True)
    ]
    return leak_bars(rows, COLOURS)


def false_positives(archetypes: Sequence[ArchetypePair]) -> str:
    """Benign accounts alerted, by archetype, in both."""
    rows = [
        {"side": side, **share_row(pair.archetype, one)}
        for pair in archetypes
        for side, one in zip(COLOURS, (pair.a, pair.b), strict=True)
    ]
    return share_dots(rows, COLOURS)
