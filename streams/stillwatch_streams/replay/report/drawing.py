"""How charts are drawn: Vega-Lite specifications to SVG here and now, so that a page needs no script and no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import vl_convert

BENIGN, DISTILL, INK, MUTED, GRID = "#3b6ea8", "#c8502d", "#1f2933", "#6b7785", "#e4e8ec"
WIDTH, WIDE, HEIGHT = 470, 1000, 210

THEME: dict[str, Any] = {
    "font": "Inter, Segoe UI, Helvetica, Arial, sans-serif",
    "background": "transparent",
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "titleFontWeight": "normal",
        "gridColor": GRID,
        "domainColor": GRID,
        "tickColor": GRID,
        "labelFontSize": 11,
        "titleFontSize": 11,
    },
    "legend": {"labelColor": INK, "title": None, "orient": "top", "labelFontSize": 11, "symbolType": "square"},
}


def drawn(spec: dict[str, Any]) -> str:
    """The SVG of a specification; size and theme are the report's unless given."""
    whole = {"$schema": "https://vega.github.io/schema/vega-lite/v6.json", "width": WIDTH, "height": HEIGHT}
    svg: str = vl_convert.vegalite_to_svg(whole | spec | {"config": THEME})
    return svg


def time_axis(field: str, span: Sequence[int]) -> dict[str, Any]:
    """A horizontal axis of event time; `span` is its first and last millisecond."""
    axis = {"format": "%-d %b %H:%M", "labelOverlap": True, "grid": False}
    scale = {"type": "utc", "domain": list(span)}
    return {"field": field, "type": "temporal", "scale": scale, "axis": axis, "title": "event time (UTC)"}


def coloured(field: str, colours: Mapping[str, str]) -> dict[str, Any]:
    """Colour by a field's value; with a legend where there are several."""
    return {
        "field": field,
        "type": "nominal",
        "scale": {"domain": list(colours), "range": list(colours.values())},
        "legend": {} if len(colours) > 1 else None,
    }
