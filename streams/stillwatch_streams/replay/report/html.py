"""Small pieces of HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib.resources import files


def style() -> str:
    """The style sheet that goes into a page."""
    return files(__package__).joinpath("style.css").read_text(encoding="utf-8")


def page(title: str, style: str, body: str) -> str:
    """A document that loads nothing: a policy in its head forbids it to."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>\n{style}</style></head>\n<body><main>\n{body}\n</main></body></html>\n"
    )


def cell(text: str) -> str:
    """Text made safe."""
    return escape(text)


def warning(text: str) -> str:
    """A notice at the top."""
    return f"<div class='warning'>{escape(text)}</div>"


def cut_short(*, interrupted: bool, error: str | None) -> Iterator[str]:
    """Warnings that a page covers less than it was asked for, and why."""
    if interrupted:
        yield warning("Interrupted: everything here covers only what was read until then.")
    if error:
        yield warning(f"Reading ended early: {error}")


def cards(figures: Iterable[tuple[str, str, str]], *, changes: bool = False) -> str:
    """Key figures: headline, figure, remark. Changes are longer figures, and are set smaller."""
    made = (
        f"<div class='card'><small>{escape(head)}</small><b>{escape(figure)}</b><small>{escape(remark)}</small></div>"
        for head, figure, remark in figures
    )
    return f"<div class='cards{' changes' if changes else ''}'>{''.join(made)}</div>"


def section(title: str, content: str, *, wide: bool = True) -> str:
    """A titled box."""
    return f"<section{' class=wide' if wide else ''}><h2>{escape(title)}</h2>{content}</section>"


def chart(title: str, svg: str | None, otherwise: str = "", *, wide: bool = False) -> str:
    """A box with a chart, or with what to say where there is none."""
    return section(title, svg or f"<p class='muted'>{escape(otherwise)}</p>", wide=wide)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already; a header that begins with # is a column of numbers."""
    kinds = [" class='number'" if name.startswith("#") else "" for name in header]
    head = "".join(f"<th{kind}>{escape(name.lstrip('#'))}</th>" for name, kind in zip(header, kinds, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{kind}>{content}</td>' for content, kind in zip(row, kinds, strict=True))}</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
