"""The generated parts of `docs/detection.md` and `docs/architecture.md`: features, detectors, modules of the core.

    PYTHONPATH=tests .venv/bin/python -m support.core_tables

writes them between their markers; `tests/models/test_docs.py` fails when they are behind the code.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import stillwatch_models
from stillwatch_models.detectors import DETECTORS
from stillwatch_models.detectors.groups import GROUP_DETECTORS
from stillwatch_models.features import FEATURES
from stillwatch_models.group_kinds import KINDS

DOCS = Path(__file__).parents[2] / "docs"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def features_table() -> str:
    """Every feature: name, meaning, unit, horizon, range given to the forest."""
    rows = [(f"`{f.name}`", f.meaning, f.unit, f.horizon, f"{f.low:g} to {f.high:g}") for f in FEATURES]
    return table(("feature", "meaning", "unit", "horizon", "range"), rows)


def detectors_table() -> str:
    """Every detector: what it looks at and how to get past it, from the first lines of its file."""
    rows = []
    for detector in DETECTORS:
        said = sections(f"stillwatch_models.detectors.{detector.name}")
        title = said["title"].partition(": ")[2] or said["title"]
        rows.append(
            (
                f"`{detector.name}`",
                title.rstrip("."),
                f"{detector.weight:g}",
                said["Evades"],
                said["Benign look-alikes"],
            )
        )
    return table(("detector", "looks for", "weight", "what evades it", "benign look-alikes"), rows)


def groups_table() -> str:
    """Every group detector: for which groups, and how to get past it."""
    rows = []
    for detector in GROUP_DETECTORS:
        said = sections(f"stillwatch_models.detectors.groups.{detector.name}")
        title = said["title"].partition(": ")[2].rstrip(".")
        groups = ", ".join(kind for kind in KINDS if kind in detector.kinds)
        rows.append((f"`{detector.name}`", title, groups, detector.horizon, said["Evades"], said["Benign look-alikes"]))
    return table(("detector", "looks for", "groups", "horizon", "what evades it", "benign look-alikes"), rows)


def sections(module: str) -> dict[str, str]:
    """The parts of a detector's docstring by their headings, each on one line; the first line is the `title`."""
    text = importlib.import_module(module).__doc__ or ""
    title, _, rest = text.partition("\n")
    found = re.findall(
        r"^(Hypothesis|Formula|Horizon|Evades|Benign look-alikes): (.*?)(?=^\S|\Z)", rest, re.DOTALL | re.MULTILINE
    )
    return {"title": title} | {name: " ".join(body.split()) for name, body in found}


def modules_table() -> str:
    """Every module of the core with the first line of its docstring."""
    rows = []
    for info in pkgutil.walk_packages(stillwatch_models.__path__, "stillwatch_models."):
        if not info.ispkg:
            line = (importlib.import_module(info.name).__doc__ or "").splitlines()[0]
            rows.append((f"`{info.name.removeprefix('stillwatch_models.')}`", line))
    return table(("module", "what it is"), sorted(rows))


PARTS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "detection.md": {"features": features_table, "detectors": detectors_table, "group detectors": groups_table},
    "architecture.md": {"modules": modules_table},
}


def generated(page: str, text: str) -> str:
    """The page with its generated parts renewed."""
    for name, render in PARTS[page].items():
        begin, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
        head, found, rest = text.partition(begin)
        _, closed, tail = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"docs/{page}: no lines {begin} and {end}: put them where the table belongs")
        text = f"{head}{begin}\n{render()}\n{end}{tail}"
    return text


def main() -> None:
    """Write the pages."""
    for page in PARTS:
        path = DOCS / page
        path.write_text(generated(page, path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
