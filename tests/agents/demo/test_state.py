"""The demo's bookkeeping: who was alerted when, what leaked before, what the gateway answered."""

from __future__ import annotations

import msgspec
import pytest
from rich.console import Console
from stillwatch_agents.demo.plain import PlainLines
from stillwatch_agents.demo.screen import draw
from stillwatch_agents.demo.state import DemoState
from stillwatch_agents.demo.summary import as_text, summarise
from stillwatch_streams.simulator import Label
from support.builders import T0, make_directive, make_finding


@pytest.fixture
def state() -> DemoState:
    labels = [
        Label("bad-1", "distill", "attack_cot", "quiet", "cot"),
        Label("bad-2", "distill", "attack_cot", "quiet", "cot"),
        Label("good-1", "benign", "human_chat", "", ""),
    ]
    return DemoState({label.account_id: label for label in labels})


def test_what_was_answered_before_the_first_alert_has_leaked(state: DemoState) -> None:
    state.note_past("bad-1", T0)
    state.side_of("bad-2").note(10.0, 200, T0 + 10)
    state.side_of("bad-2").note(11.0, 429, T0 + 11)
    state.side_of("bad-2").note(13.0, 200, T0 + 13)
    state.note_alert(make_finding(subject="bad-1", time_ms=T0 + 13), 12.0)
    state.note_alert(make_finding(subject="bad-2", time_ms=T0 + 12, alert_uid="a-2"), 12.0)
    (campaign,) = summarise(state, 20.0).campaigns
    assert (campaign.leaked_before_first_alert, campaign.answered, campaign.refused) == (2, 3, 1)
    assert campaign.first_refused_seconds == 11.0


def test_a_redelivered_alert_counts_once(state: DemoState) -> None:
    assert state.note_alert(make_finding(subject="bad-1"), 1.0) is not None
    assert state.note_alert(make_finding(subject="bad-1"), 2.0) is None
    assert summarise(state, 3.0).alerts == 1


def test_members_of_a_reported_campaign_count_as_alerted(state: DemoState) -> None:
    state.note_alert(make_finding(subject_kind="campaign", subject="c-1", members=("bad-1", "bad-2", "good-1")), 5.0)
    summary = summarise(state, 6.0)
    assert summary.campaigns[0].accounts_alerted == 2
    assert summary.benign_accounts_alerted == 1
    assert summary.first_campaign_alert_seconds == 5.0


def test_accounts_in_a_surging_network_do_not_count_as_alerted(state: DemoState) -> None:
    state.note_alert(make_finding(subject_kind="asn", subject="64500", members=("bad-1", "good-1")), 5.0)
    summary = summarise(state, 6.0)
    assert (summary.campaigns[0].accounts_alerted, summary.benign_accounts_alerted) == (0, 0)
    assert (summary.first_alert_seconds, summary.first_campaign_alert_seconds) == (5.0, None)


def test_an_alert_on_an_ordinary_account_is_no_campaign_alert(state: DemoState) -> None:
    state.note_alert(make_finding(subject="good-1"), 5.0)
    summary = summarise(state, 6.0)
    assert (summary.first_alert_seconds, summary.first_campaign_alert_seconds) == (5.0, None)


def test_the_refused_share_is_of_the_last_seconds_only(state: DemoState) -> None:
    for at in range(100):
        state.side_of("bad-1").note(float(at), 200 if at < 90 else 429, T0)
    assert state.side_of("bad-1").refused_share(99.0) == 10 / 16
    assert state.side_of("bad-1").refused_share(200.0) is None


def test_released_directives_leave_the_list_and_stay_counted(state: DemoState) -> None:
    state.note_directive("account:bad-1", make_directive(subject="bad-1"), 1.0)
    state.note_directive("account:bad-1", None, 2.0)
    assert state.directives == {}
    assert summarise(state, 3.0).directives == {"throttle": 1}


def test_closed_incidents_are_no_suspects(state: DemoState) -> None:
    state.note_alert(make_finding(subject="bad-1", risk_score=90), 1.0)
    state.note_alert(make_finding(subject="bad-2", risk_score=95, alert_uid="a-2"), 1.0)
    assert [s.finding.subject for s in state.top_suspects(5)] == ["bad-2", "bad-1"]
    state.note_alert(make_finding(subject="bad-2", activity="close", alert_uid="a-3"), 2.0)
    assert [s.finding.subject for s in state.top_suspects(5)] == ["bad-1"]


def test_rates_come_from_the_workers_counter(state: DemoState) -> None:
    state.note_metrics(1.0, 100, 1, 0)
    assert state.events_per_second() == 0.0
    state.note_metrics(3.0, 500, 2, 7)
    assert (state.events_per_second(), state.lag) == (200.0, 7)


def test_the_screen_shows_subjects_reasons_and_answers(state: DemoState) -> None:
    state.broker, state.live_at = "embedded, memory only", 1.0
    state.side_of("bad-1").note(2.0, 429, T0)
    state.note_alert(make_finding(subject="bad-1"), 2.0)
    state.note_directive("account:bad-1", make_directive(subject="bad-1"), 2.0)
    console = Console(width=160, height=50, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123  # nobody sees it
    console.print(draw(state, 3.0, width=160, height=50, hint="how to go on"), height=50)
    shown = console.export_text()
    console.file.close()
    for expected in (
        "memory only",
        "campaign 'quiet'",
        "429: 1",
        "100%",
        "machine_rhythm: 4,120 calls",
        "how to go on",
    ):
        assert expected in shown
    assert "throttle account:acct-1" not in shown


def test_plain_lines_say_what_happened(state: DemoState) -> None:
    lines: list[str] = []
    plain = PlainLines(lines.append, lambda: 30.0)
    suspect = state.note_alert(make_finding(subject="bad-1"), 2.0)
    assert suspect is not None
    plain.alert(suspect)
    plain.directive(make_directive(subject="bad-1"))
    plain.status(state)
    assert "ALERT create high distillation bad-1 (truth: quiet) - machine_rhythm" in lines[0]
    assert "DIRECTIVE throttle account:bad-1" in lines[1]
    assert len(lines) == 2, "no status before the live part"
    state.live_at = 15.0
    plain.status(state)
    plain.status(state)
    assert len(lines) == 3, "one status line in ten seconds"


def test_the_summary_is_json_and_text(state: DemoState) -> None:
    summary = summarise(state, 12.34)
    assert msgspec.json.decode(msgspec.json.encode(summary))["seconds"] == 12.3
    assert "campaign 'quiet': 0 of 2 accounts alerted" in as_text(summary)
