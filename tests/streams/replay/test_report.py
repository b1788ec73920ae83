"""The page stands alone, tells the figures of the summary, and lets nobody's account name write HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import msgspec
import pytest
from stillwatch_models.accounts import AccountRow
from stillwatch_models.config import EngineConfig
from stillwatch_streams.replay.evaluation import evaluate
from stillwatch_streams.replay.labels import Label
from stillwatch_streams.replay.report import Story, report_html
from stillwatch_streams.replay.results import Member, Note
from stillwatch_streams.replay.summary import Summary
from stillwatch_streams.replay.truth import Truth
from support.builders import T0

EVIL = "<script>alert('x')</script>&"
DAY = 86_400_000


def summary(**overrides: object) -> Summary:
    fields: dict[str, object] = {
        "events": 12_345,
        "seconds": 5.0,
        "events_per_s": 2_469.0,
        "cpu_seconds": 4.9,
        "alerts": 2,
        "incidents": 1,
        "alerts_by_kind": {"distillation": 2},
        "directives": {"throttle": 1},
        "accounts": 3,
        "accounts_alerted": 1,
        "dead_letters": {},
        "first_ts": T0,
        "last_ts": T0 + 2 * DAY,
        "partitions": 4,
        "sources": ["events.jsonl"],
        "config_hash": "abc",
        "config": EngineConfig(),
        "interrupted": False,
        "error": None,
    }
    return Summary(**(fields | overrides))  # type: ignore[arg-type]  # a builder: each test names what it needs


def note(activity: str = "create", subject: str = EVIL) -> Note:
    return Note(T0 + DAY, "distillation", activity, "high", "account", subject, (f"reason <b>one</b> of {EVIL}",))


ACCOUNTS = [
    AccountRow(EVIL, 250.0, 250.0, T0 + DAY, None, 1_000),
    AccountRow("calm", 0.0, 1.0, None, None, 20),
    AccountRow("odd", float("nan"), 0.0, None, None, 1),
]
LABELS = {
    EVIL: Label(EVIL, distill=True, archetype="a", campaign_id=EVIL, family="f"),
    "calm": Label("calm", distill=False, archetype="human", campaign_id="", family=""),
}


def labelled_story() -> Story:
    notes = [note(), note("update")]
    members = [Member("g", EVIL, T0 + DAY), Member("g", "calm", T0 + DAY)]
    truth = Truth(LABELS, {EVIL: {EVIL: [T0, T0 + 1, T0 + 2 * DAY]}}, T0)
    return Story(summary(evaluation=evaluate(truth, ACCOUNTS, members, notes)), ACCOUNTS, notes, LABELS)


class Tags(HTMLParser):
    """Counts tags and collects what they load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.loads += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href"}]


def parsed(page: bytes) -> Tags:
    tags = Tags()
    tags.feed(page.decode())
    return tags


def test_a_labelled_run_has_every_chart_and_table() -> None:
    page = report_html(labelled_story())
    tags = parsed(page)
    assert tags.open.count("svg") == 5
    assert tags.open.count("table") == 6
    for words in ("12,345", "Recall against false positives", "Leak by campaign", "2 of 3 (66.7%)", "found"):
        assert words in page.decode()


def test_a_run_without_labels_has_charts_of_what_is_known() -> None:
    tags = parsed(report_html(Story(summary(), ACCOUNTS, [note()], {})))
    assert tags.open.count("svg") == 2


def test_the_page_loads_nothing() -> None:
    page = report_html(labelled_story())
    tags = parsed(page)
    assert "script" not in tags.open
    assert [link for link in tags.loads if not link.startswith("#")] == []
    assert not re.search(rb"url\(|@import", page)


def test_names_from_outside_are_escaped_everywhere() -> None:
    page = report_html(labelled_story()).decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "reason &lt;b&gt;one" in page


def test_an_empty_run_still_has_a_page() -> None:
    story = Story(summary(events=0, accounts=0, first_ts=None, last_ts=None), [], [], {})
    assert "No incident was opened." in report_html(story).decode()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"interrupted": True}, "Interrupted"),
        ({"error": "events.zst: truncated"}, "Reading ended early: events.zst: truncated"),
        ({"dead_letters": {"malformed_json": 1_200}}, "1,200 malformed_json"),
    ],
)
def test_what_went_wrong_stands_at_the_top(overrides: dict[str, object], words: str) -> None:
    assert words in report_html(Story(summary(**overrides), ACCOUNTS, [], {})).decode()


def test_the_settings_are_all_listed() -> None:
    page = report_html(Story(summary(), ACCOUNTS, [], {})).decode()
    assert all(field in page for field in msgspec.structs.asdict(EngineConfig()))
