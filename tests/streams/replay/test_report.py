"""The page stands alone, tells the figures of the summary, and lets nobody's account name write HTML."""

from __future__ import annotations

import msgspec
import pytest
from stillwatch_models.accounts import AccountRow
from stillwatch_models.config import EngineConfig
from stillwatch_streams.replay.evaluation import evaluate
from stillwatch_streams.replay.labels import Label
from stillwatch_streams.replay.report import Story, report_html
from stillwatch_streams.replay.results import Member, Note
from stillwatch_streams.replay.truth import Truth
from support.builders import T0
from support.pages import stands_alone, tags_of
from support.stories import make_summary

EVIL = "<script>alert('x')</script>&"
DAY = 86_400_000


def note(activity: str = "create", subject: str = EVIL) -> Note:
    return Note(T0 + DAY, "distillation", activity, "high", "account", subject, (f"reason <b>one</b> of {EVIL}",))


ACCOUNTS = [
    AccountRow(EVIL, 250.0, 250.0, T0 + DAY, None, 1_000),
    AccountRow("calm", 0.0, 1.0, None, None, 20),
    AccountRow("odd", float("nan"), 0.0, None, None, 1),
]
CAMPAIGN = Note(T0 + DAY, "campaign", "create", "medium", "campaign", "campaign-1", (f"joined by {EVIL}",), "g")
GROUP = Note(T0, "payment_hand_over", "close", "medium", "payment", "card-1", ("one stops, another starts",))
MEMBERS = [Member("g", EVIL, T0 + DAY), Member("g", "calm", T0 + DAY)]
LABELS = {
    EVIL: Label(EVIL, distill=True, archetype="a", campaign_id=EVIL, family="f"),
    "calm": Label("calm", distill=False, archetype="human", campaign_id="", family=""),
}


def labelled_story() -> Story:
    notes = [note(), note("update"), CAMPAIGN]
    truth = Truth(LABELS, {EVIL: {EVIL: [T0, T0 + 1, T0 + 2 * DAY]}}, T0)
    return Story(make_summary(evaluation=evaluate(truth, ACCOUNTS, MEMBERS, notes)), ACCOUNTS, notes, LABELS, MEMBERS)


def test_a_labelled_run_has_every_chart_and_table() -> None:
    page = report_html(labelled_story())
    tags = tags_of(page)
    assert tags.open.count("svg") == 5
    assert tags.open.count("table") == 6
    for words in (
        "12,345",
        "Recall against false positives",
        "Leak by campaign",
        "2 of 3<br>",
        "66.7%",
        "found",
        "Families",
        "Benign accounts by archetype",
    ):
        assert words in page.decode()


def test_a_run_without_labels_has_charts_of_what_is_known() -> None:
    tags = tags_of(report_html(Story(make_summary(), ACCOUNTS, [note()], {})))
    assert tags.open.count("svg") == 2


def test_campaigns_and_groups_are_told_with_members_and_reasons_without_labels_too() -> None:
    page = report_html(Story(make_summary(), ACCOUNTS, [GROUP, note(), CAMPAIGN], {}, MEMBERS)).decode()
    told = page[page.index("Campaigns and groups that were reported") : page.index("Highest scores")]
    assert told.index("campaign-1") < told.index("card-1"), "more members first"
    assert "in campaigns.csv g" in told
    assert "<td class='number'>2</td>" in told
    assert "payment_hand_over <small class='muted'>closed" in told
    assert "one stops, another starts" in told


def test_where_nothing_joint_was_reported_there_is_no_table_of_it() -> None:
    assert "Campaigns and groups" not in report_html(Story(make_summary(), ACCOUNTS, [note()], {})).decode()


def test_a_run_without_labels_says_what_it_cannot_say() -> None:
    assert "Without --labels" in report_html(Story(make_summary(), ACCOUNTS, [], {})).decode()
    assert "Without --labels" not in report_html(labelled_story()).decode()


def test_every_headline_figure_that_needs_words_is_explained() -> None:
    page = report_html(labelled_story()).decode()
    explained = page[page.index("What the words mean") :]
    for word in ("leaked", "not contained", "false-positive budget used", "purity", "score", "harvest event"):
        assert f"<dt>{word}" in explained


def test_the_page_loads_nothing() -> None:
    assert stands_alone(report_html(labelled_story()))


def test_names_from_outside_are_escaped_everywhere() -> None:
    page = report_html(labelled_story()).decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "reason &lt;b&gt;one" in page


def test_an_empty_run_still_has_a_page() -> None:
    story = Story(make_summary(events=0, accounts=0, first_ts=None, last_ts=None), [], [], {})
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
    assert words in report_html(Story(make_summary(**overrides), ACCOUNTS, [], {})).decode()


def test_the_settings_are_all_listed() -> None:
    page = report_html(Story(make_summary(), ACCOUNTS, [], {})).decode()
    assert all(field in page for field in msgspec.structs.asdict(EngineConfig()))
