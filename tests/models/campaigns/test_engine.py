"""The campaign engine: who is reported when, who joins late, who is let go, and the same after any restart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stillwatch_models.campaigns.engine import CampaignEngine
from stillwatch_models.config import EngineConfig
from stillwatch_models.shard import Batch, Outputs
from stillwatch_schemas.findings import Finding
from stillwatch_schemas.signals import CampaignVerdict, Profile, ProfileSignal
from stillwatch_schemas.verdicts import Verdict
from support.builders import T0, make_verdict
from support.profiling import (
    CONFIG,
    EPOCH_PANES,
    FIRST_EPOCH,
    HOUR,
    closed,
    crowd,
    direction,
    make_profile,
    samples,
)
from support.promises import CheckpointLog


def gang(epoch: int, members: Sequence[int] = range(6), **fields: Any) -> list[Profile]:
    return [make_profile(n, direction(n, near=1), epoch=epoch, **fields) for n in members]


def week(epochs: int = 3) -> list[ProfileSignal]:
    """A crowd from the first hour on, and a gang of six that grows to eight in the third."""
    items: list[ProfileSignal] = []
    for epoch in range(epochs):
        if epoch == 0:
            items += crowd()
        items += gang(epoch, range(8 if epoch == 2 else 6))
        items += [samples(epoch, acct_000=[11, 12], acct_100=[11 + epoch]), closed(epoch)]
    return items


class Driver:
    """Feeds an engine and keeps what comes out."""

    def __init__(self, config: EngineConfig = CONFIG, sources: int = 1) -> None:
        self.engine = CampaignEngine(config, 0, sources)
        self.findings: list[Finding] = []
        self._next = 0

    def feed(self, items: Sequence[ProfileSignal]) -> list[Finding]:
        first, self._next = self._next, self._next + len(items)
        batch = Batch(list(items), list(range(first, self._next)), self._next)
        return self._keep(self.engine.process(batch))

    def finish(self) -> list[Finding]:
        return self._keep(self.engine.finish())

    def _keep(self, outputs: Outputs) -> list[Finding]:
        self.findings += outputs.findings
        return outputs.findings


def campaigns(findings: Sequence[Finding]) -> list[Finding]:
    return [found for found in findings if found.kind == "campaign"]


def members(findings: Sequence[Finding], activity: str = "create") -> list[str]:
    return [found.subject for found in findings if found.kind == "campaign_member" and found.activity == activity]


def test_a_campaign_is_reported_with_its_members_and_what_joins_them() -> None:
    findings = Driver().feed([*crowd(), *gang(0, payment=77), closed(0)])
    (campaign,) = campaigns(findings)
    assert (campaign.activity, campaign.subject_kind) == ("create", "campaign")
    assert campaign.members == tuple(f"acct-{n:03d}" for n in range(6))
    assert campaign.exchanges == 6 * 80
    assert campaign.first_seen_ms == T0 - 24 * HOUR
    assert {evidence.signal for evidence in campaign.evidence} <= {
        "one_shot_clump",
        "harvest_clump",
        "harvest",
        "shared_infrastructure",
    }
    assert any("pay with the same instrument" in evidence.statement for evidence in campaign.evidence)
    assert any("6 accounts of different organisations" in evidence.statement for evidence in campaign.evidence)
    assert all(evidence.percentile > 90 for evidence in campaign.evidence)
    assert len(campaign.evidence[0].event_ids) == 5


def test_a_shared_payment_instrument_counts_for_accounts_that_ask_about_the_same() -> None:
    """Three accounts without evidence of their own: content alone does not found a campaign, a card in common does."""
    alone = {"nats": -5.0, "harvest": 0}
    assert Driver().feed([*crowd(), *gang(0, range(3), **alone), closed(0)]) == []
    findings = Driver().feed([*crowd(), *gang(0, range(3), payment=77, **alone), closed(0)])
    assert members(findings) == ["acct-000", "acct-001", "acct-002"]
    shop = [make_profile(100 + n, payment=77) for n in range(40)]
    assert Driver().feed([*shop, closed(0)]) == []  # a card in common is nothing by itself
    assert Driver().feed([*shop, *gang(0, range(3), payment=77, **alone), closed(0)]) == []  # nor one that all have


def test_members_inherit_the_evidence_and_belong_to_the_campaigns_incident() -> None:
    findings = Driver().feed([*crowd(), *gang(0), closed(0)])
    (campaign,) = campaigns(findings)
    mine = [found for found in findings if found.kind == "campaign_member"]
    assert members(findings) == [f"acct-{n:03d}" for n in range(6)]
    assert {found.campaign_uid for found in mine} == {campaign.uid}
    assert {found.confidence_score for found in mine} == {campaign.confidence_score}
    assert all(found.tier != "critical" for found in mine)  # not for the company he keeps
    assert mine[0].evidence[0].event_ids == ("ev-0-a", "ev-0-b")


def test_a_member_found_late_joins_the_same_campaign() -> None:
    driver = Driver()
    driver.feed(week())
    creates = [found for found in driver.findings if found.kind == "campaign_member" and found.activity == "create"]
    assert [found.subject for found in creates[-2:]] == ["acct-006", "acct-007"]
    assert len({found.campaign_uid for found in creates}) == 1
    grown = campaigns(driver.findings)[-1]
    assert (grown.activity, grown.members_total) == ("update", 8)


def test_a_crowd_is_not_reported() -> None:
    driver = Driver()
    driver.feed([*crowd(120), closed(0)])
    assert driver.finish() == []


def test_nothing_is_said_before_the_epoch_is_over_everywhere() -> None:
    driver = Driver(sources=2)
    assert driver.feed([*crowd(), *gang(0), closed(0, source=0)]) == []
    assert len(campaigns(driver.feed([closed(0, source=1)]))) == 1


def test_a_source_that_stays_silent_is_not_waited_for_for_ever() -> None:
    driver = Driver(sources=2)
    driver.feed([*crowd(), *gang(0)])
    patience = CONFIG.campaign_patience_epochs
    assert driver.feed([closed(epoch) for epoch in range(patience - 1)]) == []
    assert len(campaigns(driver.feed([closed(epoch) for epoch in (patience, patience + 1)]))) == 1


def test_a_campaign_ends_after_a_week_of_silence() -> None:
    driver = Driver()
    driver.feed([*crowd(), *gang(0), closed(0)])
    findings = driver.feed([closed(epoch) for epoch in range(1, 24 * 7 + 2)])
    (last,) = [found for found in campaigns(findings) if found.activity == "close"]
    assert last.uid == campaigns(driver.findings)[0].uid
    assert members(findings, "close") == [f"acct-{n:03d}" for n in range(6)]
    assert list(driver.engine.accounts()) == []


def verdict(driver: Driver, label: str, epoch: int) -> CampaignVerdict:
    campaign = campaigns(driver.findings)[0]
    said = Verdict(
        verdict_id="v1",
        finding_uid=campaign.uid,
        subject=campaign.subject,
        subject_kind="campaign",
        label=label,  # type: ignore[arg-type] - a test's own word
        analyst="ana",
        at=T0 + epoch * HOUR,
        note="our own benchmark",
    )
    return CampaignVerdict(source=0, pane=(FIRST_EPOCH + epoch) * EPOCH_PANES + 5, verdict=said)


def test_a_benign_verdict_lets_all_members_go_for_good() -> None:
    driver = Driver()
    driver.feed([*crowd(), *gang(0), closed(0)])
    findings = driver.feed([verdict(driver, "benign", 1), *gang(1), closed(1)])
    assert [found.activity for found in campaigns(findings)] == ["close"]
    assert len(members(findings, "close")) == 6
    statement = campaigns(findings)[0].evidence[0].statement
    assert statement == "ana judged that the campaign is benign (verdict v1): our own benchmark"
    assert driver.feed([*gang(2), closed(2)]) == []


def test_a_confirmed_campaign_is_critical_and_so_are_its_members() -> None:
    driver = Driver()
    driver.feed([*crowd(), *gang(0), closed(0)])
    findings = driver.feed([verdict(driver, "distillation", 1), *gang(1), closed(1), *gang(2), closed(2)])
    assert {found.tier for found in findings} == {"critical"}
    assert {found.ruling for found in findings} == {"confirmed"}


def on_account(account: str, label: str, epoch: int) -> CampaignVerdict:
    """A verdict on one account, as its shard hands it on."""
    said = make_verdict(subject=account, label=label, kind="campaign_member", at=T0 + epoch * HOUR, note="a pupil")
    return CampaignVerdict(source=0, pane=(FIRST_EPOCH + epoch) * EPOCH_PANES + 5, verdict=said)


def test_a_benign_verdict_on_one_member_lets_that_one_go_and_the_others_stay() -> None:
    driver = Driver()
    driver.feed([*crowd(), *gang(0), closed(0)])
    findings = driver.feed([on_account("acct-002", "benign", 1), *gang(1), closed(1)])
    (gone,) = [found for found in findings if found.activity == "close"]
    assert (gone.subject, gone.kind, gone.ruling) == ("acct-002", "campaign_member", "rejected")
    assert "a pupil" in gone.evidence[0].statement
    driver.feed([*gang(2), closed(2)])
    assert {row.account_id for row in driver.engine.accounts()} == {f"acct-{n:03d}" for n in (0, 1, 3, 4, 5)}


def test_when_all_members_were_let_go_the_campaign_is_over() -> None:
    driver = Driver()
    driver.feed([*crowd(), *gang(0), closed(0)])
    findings = driver.feed([*(on_account(f"acct-{n:03d}", "benign", 1) for n in range(6)), closed(1)])
    assert len(members(findings, "close")) == 6
    assert [found.activity for found in campaigns(findings)] == ["close"]
    assert driver.engine.state.roll.campaigns == {}


def test_a_later_confirmation_lets_an_account_be_compared_again() -> None:
    driver = Driver()
    driver.feed([*crowd(), *gang(0), closed(0), on_account("acct-002", "benign", 1), *gang(1), closed(1)])
    driver.feed([on_account("acct-002", "distillation", 2), *gang(2), closed(2)])
    assert "acct-002" in {row.account_id for row in driver.engine.accounts()}


def test_members_rank_before_everybody_else() -> None:
    driver = Driver()
    driver.feed([*crowd(), *gang(0), closed(0)])
    rows = list(driver.engine.accounts())
    assert [row.account_id for row in rows] == [f"acct-{n:03d}" for n in range(6)]
    assert min(row.score for row in rows) > 80  # what an account can reach that is reported alone
    assert {row.campaign_id for row in rows} == {campaigns(driver.findings)[0].uid}


@pytest.mark.parametrize("signal", ["one_shot_clump", "harvest_clump"])
def test_a_signal_that_is_switched_off_finds_nothing(signal: str) -> None:
    config = msgspec.structs.replace(CONFIG, disabled_signals=(signal,))
    findings = Driver(config).feed([*crowd(), *gang(0), closed(0)])
    assert signal not in {evidence.signal for found in findings for evidence in found.evidence}
    both = msgspec.structs.replace(CONFIG, disabled_signals=("one_shot_clump", "harvest_clump"))
    assert Driver(both).feed([*crowd(), *gang(0), closed(0)]) == []


def test_accounts_beyond_the_bound_are_forgotten_the_most_silent_first() -> None:
    driver = Driver(msgspec.structs.replace(CONFIG, max_profiles=10))
    driver.feed([*crowd(), closed(0), *gang(1), closed(1)])
    assert set(driver.engine.state.known) >= {f"acct-{n:03d}" for n in range(6)}
    assert len(driver.engine.state.known) == 10


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 150), max_size=5), st.integers(0, 200))
def test_batches_and_restarts_change_nothing(cuts: list[int], crash: int) -> None:
    items = week()
    whole = Driver()
    whole.feed(items)

    engine, offset, log, findings = CampaignEngine(CONFIG, 0, 1), 0, CheckpointLog(), {}
    sizes = [*cuts, len(items)]
    for size in sizes:
        end = min(len(items), offset + size)
        out = engine.process(Batch(items[offset:end], list(range(offset, end)), end))
        findings.update({found.alert_uid: found for found in out.findings})
        offset = end
        log.add(engine.checkpoint())
        if offset >= crash and log.rows:
            engine = CampaignEngine(CONFIG, 0, 1)
            offset = engine.restore(log.rows)
    if offset < len(items):
        out = engine.process(Batch(items[offset:], list(range(offset, len(items))), len(items)))
        findings.update({found.alert_uid: found for found in out.findings})
    assert findings == {found.alert_uid: found for found in whole.findings}
    assert engine.snapshot() == whole.engine.snapshot()
