"""`ablation.html`: what each signal is worth. Everything that came from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterator

from stillwatch_streams.replay.comparison.ablation_result import Ablation, Variant
from stillwatch_streams.replay.comparison.figures import Paired
from stillwatch_streams.replay.report.drawing import DISTILL, GRID, INK, MUTED, WIDE, WIDTH, drawn
from stillwatch_streams.replay.report.html import cell, chart, cut_short, page, section, style, table
from stillwatch_streams.replay.report.words import per_cent, stacked, time_of

SURE = 0.05
COLD = "#0f8a7e"
"""Where a campaign does better without a signal."""


def ablation_html(found: Ablation) -> bytes:
    """The whole page in UTF-8."""
    body = [
        "<h1>Stillwatch ablation</h1>",
        *_introduction(found),
        *_charts(found),
        section("Without one signal", _table(found)),
        section("What changed against the run with every signal", _changes(found)),
    ]
    return page("Stillwatch ablation", style(), "\n".join(body)).encode("utf-8", "replace")


def _introduction(found: Ablation) -> Iterator[str]:
    yield f"<p class='muted'>{cell(time_of(found.first_ts))} to {cell(time_of(found.last_ts))} UTC"
    yield f" · {cell(', '.join(found.sources))} · {found.events:,} events of {found.accounts:,} accounts</p>"
    yield from cut_short(interrupted=found.interrupted, error=found.error)
    yield "<p>Each row is a whole run without one signal, on the same events. What its absence costs is not what it"
    yield " would find alone: signals that say the same stand in for each other.</p>"


def _name(variant: Variant) -> str:
    return f"without {variant.signal}" if variant.signal else "every signal"


def _charts(found: Ablation) -> Iterator[str]:
    if not found.whole.recall_by_campaign:
        return
    rates = list(found.whole.recall)
    made = "".join(chart(f"Recall at {float(rate):.1%} false positives", _recall(found, rate)) for rate in rates)
    yield f"<div class='grid'>{made}</div>"
    title = f"Percentage points of recall at {float(rates[-1]):.1%} that each campaign loses (negative: gains)"
    yield chart(title, _heat(found), wide=True)


def _recall(found: Ablation, rate: str) -> str:
    """Pooled recall of every variant with its interval; a line marks the run with every signal."""
    variants = [(_name(one), one.recall[rate]) for one in (found.whole, *found.without)]
    rows = [{"variant": name, "rate": one.rate, "low": one.low, "high": one.high} for name, one in variants]
    y = {"field": "variant", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 190}}
    x = {
        "field": "rate",
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "axis": {"format": "%"},
        "title": "distilling accounts above the threshold, with 95 % interval",
    }
    dot = {"type": "point", "filled": True, "size": 55, "color": DISTILL, "opacity": 1}
    line = {"type": "rule", "strokeDash": [4, 3], "color": MUTED}
    return drawn(
        {
            "height": {"step": 20},
            "width": WIDTH - 150,
            "layer": [
                {"data": {"values": rows[:1]}, "mark": line, "encoding": {"x": x}},
                {
                    "data": {"values": rows},
                    "mark": {"type": "rule", "color": MUTED},
                    "encoding": {"x": x | {"field": "low"}, "x2": {"field": "high"}, "y": y},
                },
                {"data": {"values": rows}, "mark": dot, "encoding": {"x": x, "y": y}},
            ],
        }
    )


def _heat(found: Ablation) -> str:
    """Recall points that each campaign loses without each signal."""
    whole = found.whole.recall_by_campaign
    rows = []
    for one in found.without:
        for name, own in one.recall_by_campaign.items():
            lost = whole[name].rate - own.rate
            text = f"{100 * lost:.0f}" if round(100 * lost) else ""
            rows.append({"variant": _name(one), "campaign": name, "colour": _tint(lost), "text": text})
    names = {"type": "nominal", "sort": None, "title": None}
    where = {
        "x": {"field": "campaign", **names, "axis": {"labelAngle": 0, "labelLimit": 90}},
        "y": {"field": "variant", **names, "axis": {"labelLimit": 190}},
    }
    return drawn(
        {
            "height": {"step": 20},
            "width": WIDE - 130,
            "data": {"values": rows},
            "layer": [
                {
                    "mark": {"type": "rect", "stroke": GRID},
                    "encoding": {**where, "color": {"field": "colour", "type": "nominal", "scale": None}},
                },
                {
                    "mark": {"type": "text", "fontSize": 10, "color": INK},
                    "encoding": {**where, "text": {"field": "text"}},
                },
            ],
        }
    )


def _tint(lost: float) -> str:
    """White for no change, deeper the more is lost; the other colour for what is gained."""
    paper, ink = (255, 255, 255), _rgb(DISTILL if lost > 0 else COLD)
    mixed = (round(white + (full - white) * min(1.0, abs(lost))) for white, full in zip(paper, ink, strict=True))
    return f"rgb({', '.join(map(str, mixed))})"


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))


def _table(found: Ablation) -> str:
    rates = list(found.whole.recall)
    header = (
        "",
        *(f"#recall at {float(rate):.1%}" for rate in rates),
        f"#campaigns' average at {float(rates[-1]):.1%}",
        "#campaigns found",
        "#benign alerted",
        "#leaked, median / worst",
    )
    rows = (
        (
            cell(_name(one)),
            *(stacked(one.recall[rate]) for rate in rates),
            stacked(one.macro[rates[-1]]),
            f"{one.campaigns_found.hits} of {one.campaigns_found.total}",
            stacked(one.benign_alerted),
            f"{_rate(one.leaked_share_median)} / {_rate(one.leaked_share_worst)}",
        )
        for one in (found.whole, *found.without)
    )
    return "<p class='muted'>In small print the 95 % intervals.</p>" + table(header, rows)


def _rate(rate: float | None) -> str:
    return "" if rate is None else per_cent(rate)


def _changes(found: Ablation) -> str:
    names = [pair.figure for pair in found.whole.changes]
    rows = (
        (
            cell(_name(one)),
            *(_change(pair) for pair in one.changes),
        )
        for one in found.without
    )
    note = (
        "<p class='muted'>Accounts that the run has more (+) and no longer (&minus;); p: McNemar's exact test;"
        f" bold where p is below {SURE}.</p>"
    )
    return note + table(("", *(f"#{name}" for name in names)), rows)


def _change(pair: Paired) -> str:
    if not pair.gained and not pair.lost:
        return "<span class='muted'>none</span>"
    change = f"+{pair.gained} &minus;{pair.lost}"
    return f"{f'<b>{change}</b>' if pair.p_value < SURE else change} <span class='muted'>p {pair.p_value:.2g}</span>"
