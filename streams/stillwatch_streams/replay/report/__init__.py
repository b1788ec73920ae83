"""The report: one self-contained HTML page with static charts, for people who were not there."""

from __future__ import annotations

from stillwatch_streams.replay.report.page import report_html
from stillwatch_streams.replay.report.story import Story

__all__ = ["Story", "report_html"]
