"""Charts with a line for each campaign or archetype; where two runs are compared, one for each `side` of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stillwatch_streams.replay.campaign_results import CampaignResult
from stillwatch_streams.replay.report.drawing import BENIGN, DISTILL, INK, MUTED, WIDTH, coloured, drawn
from stillwatch_streams.replay.statistics import Share

Sides = Mapping[str, str]
"""Colour of each run that is compared; empty where there is one run, whose rows have no side."""


Mark = tuple[dict[str, Any], dict[str, Any]]
"""A mark, and its encoding."""


def leak_row(result: CampaignResult) -> dict[str, Any]:
    """What a campaign leaked before its first alert, for `leak_bars`."""
    return {
        "campaign": f"{result.campaign_id} · {result.family}" if result.family else result.campaign_id,
        "share": result.leaked_share,
        "text": f"{result.leaked:,} of {result.exchanges:,}" + ("" if result.first_alert_ts else ", never alerted"),
    }


def leak_bars(rows: Sequence[Mapping[str, Any]], sides: Sides) -> str:
    """Share of each campaign's exchanges that went by before anything was said."""
    y = {"field": "campaign", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 190}}
    x = {
        "field": "share",
        "type": "quantitative",
        "scale": {"domain": [0, 1.45]},
        "axis": {"format": "%", "values": [0, 0.25, 0.5, 0.75, 1]},
        "title": "leaked before the first alert",
    }
    at = {"x": x, **_line(y, sides)}
    marks: list[Mark] = [
        ({"type": "bar", "height": {"band": 0.8 if sides else 0.6}}, at | _colour(DISTILL, sides)),
        (_text(INK, sides), at | _label()),
    ]
    return _drawn(rows, marks, 130, sides)


def share_row(archetype: str, share: Share) -> dict[str, Any]:
    """Benign accounts of an archetype that were alerted, for `share_dots`."""
    return {
        "archetype": archetype,
        "rate": share.rate,
        "low": share.low,
        "high": share.high,
        "text": f"{share.hits} of {share.total:,}",
    }


def share_dots(rows: Sequence[Mapping[str, Any]], sides: Sides) -> str:
    """Benign accounts alerted, by archetype, with their 95 % intervals."""
    line = _line({"field": "archetype", "type": "nominal", "sort": None, "title": None}, sides)
    x = {"field": "rate", "type": "quantitative", "axis": {"format": "~%"}, "title": "benign accounts alerted"}
    interval = {"x": x | {"field": "low"}, "x2": {"field": "high"}, **line}
    dot = {"type": "point", "filled": True, "size": 50, "opacity": 1}
    marks: list[Mark] = [
        ({"type": "rule", "color": MUTED}, interval),
        (dot, {"x": x, **line, **_colour(BENIGN, sides)}),
        (_text(MUTED, sides), {"x": x | {"field": "high"}, **line, **_label()}),
    ]
    return _drawn(rows, marks, 110, sides)


def _drawn(rows: Sequence[Mapping[str, Any]], marks: Sequence[Mark], names: int, sides: Sides) -> str:
    """Marks one above the other; `names` is the room in pixels for the lines' names."""
    return drawn(
        {
            "height": {"step": 12 if sides else 22},
            "width": WIDTH - names,
            "data": {"values": list(rows)},
            "layer": [{"mark": mark, "encoding": encoding} for mark, encoding in marks],
        }
    )


def _line(y: dict[str, Any], sides: Sides) -> dict[str, Any]:
    return {"y": y, "yOffset": {"field": "side", "type": "nominal"}} if sides else {"y": y}


def _colour(alone: str, sides: Sides) -> dict[str, Any]:
    return {"color": coloured("side", sides) if sides else {"value": alone}}


def _text(colour: str, sides: Sides) -> dict[str, Any]:
    return {"type": "text", "align": "left", "dx": 5, "fontSize": 9 if sides else 10, "color": colour}


def _label() -> dict[str, Any]:
    return {"text": {"field": "text"}}
