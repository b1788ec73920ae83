"""A against B: both configurations on one pass, their differences as JSON and as a page."""

from __future__ import annotations

from pathlib import Path

import msgspec
from stillwatch_models.config import EngineConfig

from stillwatch_streams.output_folder import OutputFolder
from stillwatch_streams.replay.comparison.figures import compare_evaluations
from stillwatch_streams.replay.comparison.incidents import compare_incidents
from stillwatch_streams.replay.comparison.page import comparison_html
from stillwatch_streams.replay.comparison.result import Comparison, side_of
from stillwatch_streams.replay.comparison.settings import settings_that_differ
from stillwatch_streams.replay.comparison.together import run_together
from stillwatch_streams.replay.reading import Input, Progress
from stillwatch_streams.replay.report import Story
from stillwatch_streams.replay.stopping import StopFlag

FOLDERS = ("a", "b")


class Contender(msgspec.Struct, frozen=True):
    """A configuration and what the user calls it."""

    name: str
    config: EngineConfig


def compare(
    given: Input,
    out: Path,
    contenders: tuple[Contender, Contender],
    *,
    stop: StopFlag | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Run both on one pass; writes `a/`, `b/`, `comparison.json` and `comparison.html` into `out`."""
    configs = dict(zip(FOLDERS, (one.config for one in contenders), strict=True))
    stories = run_together(given, out, configs, stop=stop, progress=progress)
    a, b = (stories[folder] for folder in FOLDERS)
    found = comparison_of(contenders, a, b)
    with OutputFolder(out) as folder:
        folder.write("comparison.json", msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
        folder.write("comparison.html", comparison_html(found, a, b))
    return found


def comparison_of(contenders: tuple[Contender, Contender], a: Story, b: Story) -> Comparison:
    """What differs between two finished runs over the same input."""
    one, other = contenders
    summary = a.summary
    return Comparison(
        a=side_of(one.name, FOLDERS[0], a.summary),
        b=side_of(other.name, FOLDERS[1], b.summary),
        events=summary.events,
        accounts=max(summary.accounts, b.summary.accounts),
        first_ts=summary.first_ts,
        last_ts=summary.last_ts,
        sources=summary.sources,
        interrupted=summary.interrupted,
        error=summary.error,
        settings=settings_that_differ(one.config, other.config),
        incidents=compare_incidents(a, b),
        labelled=compare_evaluations(a, b),
    )
