"""The race as horizontal bars, in SVG: logarithmic, because the field is a hundred times apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import Any

from rendering.tables import rate

WIDTH, LABEL, ROW, TOP = 860, 300, 30, 56
SPAN = WIDTH - LABEL - 90
COLOURS = {"ceiling": "#b8bec7", "peer": "#6b8fb3", "ours": "#d1603d"}


def bars(result: Mapping[str, Any]) -> str:
    """Events per CPU-second of each peer on one broker."""
    peers = result["peers"]
    rates = {name: rate(peer) for name, peer in peers.items()}
    low = 10 ** math.floor(math.log10(min(rates.values())))
    high = 10 ** math.ceil(math.log10(max(rates.values())))
    height = TOP + ROW * len(peers) + 34
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
            ' font-family="sans-serif" font-size="13" role="img">'
        ),
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        (
            f'<text x="12" y="24" font-size="15" fill="#222">Events per CPU-second, {escape(result["broker"])}'
            " (logarithmic)</text>"
        ),
        *_grid(low, high, height),
    ]
    for row, (name, peer) in enumerate(peers.items()):
        parts += _bar(TOP + row * ROW, peer["label"], rates[name], _place(rates[name], low, high), COLOURS[_kind(name)])
    return "\n".join([*parts, "</svg>", ""])


def _place(value: float, low: float, high: float) -> float:
    return SPAN * math.log(value / low) / math.log(high / low)


def _grid(low: float, high: float, height: int) -> list[str]:
    lines, value = [], low
    while value <= high:
        x = LABEL + _place(value, low, high)
        lines.append(f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{height - 26}" stroke="#e3e6ea"/>')
        lines.append(f'<text x="{x:.1f}" y="{height - 10}" text-anchor="middle" fill="#666">{value:,.0f}</text>')
        value *= 10
    return lines


def _bar(y: int, label: str, value: float, length: float, colour: str) -> list[str]:
    return [
        f'<text x="{LABEL - 8}" y="{y + 15}" text-anchor="end" fill="#222">{escape(label)}</text>',
        f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="20" fill="{colour}"/>',
        f'<text x="{LABEL + length + 6:.1f}" y="{y + 15}" fill="#222">{value:,.0f}</text>',
    ]


def _kind(name: str) -> str:
    if name in {"aiokafka_consume", "aiokafka_msgspec"}:
        return "ceiling"
    return "peer" if name.endswith("_river") else "ours"
