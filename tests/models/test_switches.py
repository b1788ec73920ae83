"""A signal that is switched off counts for nothing, and only for nothing: the others go on as before."""

from __future__ import annotations

import itertools

import pytest
from stillwatch_models.config import EngineConfig
from stillwatch_models.detectors import DETECTORS
from stillwatch_models.engine import AccountEngine
from stillwatch_models.shard import Outputs
from stillwatch_models.switches import HARVEST, campaign_tests, refuse_unknown_signals, signal_names
from stillwatch_schemas.errors import ConfigError
from support.traffic import run, small_config, traffic


def observed(*disabled: str) -> tuple[AccountEngine, Outputs]:
    """What an engine without some signals says of the same traffic."""
    engine = AccountEngine(small_config(disabled_signals=disabled), 0)
    return engine, run(engine, traffic(5), itertools.repeat(100))


def kinds(out: Outputs) -> set[str]:
    return {finding.kind for finding in out.findings}


def test_nothing_is_switched_off_by_default() -> None:
    engine, out = observed()
    assert kinds(out) == {"distillation", "hard_ceiling"}
    assert engine.scorer.muted == []


def test_without_the_harvest_test_no_account_is_reported_and_none_stands_out_by_it() -> None:
    engine, out = observed(HARVEST)
    assert kinds(out) == {"hard_ceiling"}
    assert all(0 <= row.score < 0.1 for row in engine.accounts())  # what is left is the detectors' tie-break


def test_without_the_hard_ceiling_only_it_is_missing() -> None:
    _, out = observed("hard_ceiling")
    _, before = observed()
    assert kinds(out) == {"distillation"}
    assert [found.subject for found in out.findings] == [
        found.subject for found in before.findings if found.kind == "distillation"
    ]


@pytest.mark.parametrize("name", [detector.name for detector in DETECTORS])
def test_a_detector_gives_no_reason_and_no_rank_when_off(name: str) -> None:
    engine, out = observed(name)
    reasons = {part.signal for found in out.findings for part in found.evidence}
    assert name not in reasons
    assert len(reasons) > 1
    before, _ = observed()
    with_it = {row.account_id: row.score for row in before.accounts()}
    assert all(row.score <= with_it[row.account_id] for row in engine.accounts())


def test_without_any_detector_accounts_rank_by_the_harvest_test_alone() -> None:
    engine, _ = observed(*(detector.name for detector in DETECTORS))
    assert set(engine.table.rows["joint"][engine.table.used()].tolist()) == {0.0}


def test_campaign_tests_go_one_by_one_or_together() -> None:
    names = [test.name for test in campaign_tests(EngineConfig())]
    assert set(names) < set(signal_names())
    rest = [test.name for test in campaign_tests(EngineConfig(disabled_signals=(names[0],)))]
    assert rest == names[1:]
    assert campaign_tests(EngineConfig(disabled_signals=("campaign",))) == ()


def test_a_signal_that_does_not_exist_is_refused_with_a_hint() -> None:
    refuse_unknown_signals(signal_names(), "--signal")
    with pytest.raises(ConfigError, match=r"--signal: 'template_masses' is no signal. Did you mean template_mass\?"):
        refuse_unknown_signals(["template_masses"], "--signal")
