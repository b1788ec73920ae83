"""Verdicts in the log: batches, crashes and repetition change nothing, and each label does what it says."""

from __future__ import annotations

import itertools
import random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stillwatch_models.engine import AccountEngine
from stillwatch_models.shard import Batch, Outputs
from stillwatch_schemas.events import Heartbeat, RequestEvent
from stillwatch_schemas.findings import Finding
from stillwatch_schemas.signals import CampaignVerdict
from stillwatch_schemas.verdicts import Verdict
from support.builders import T0, make_verdict
from support.promises import (
    NO_SHRINKING,
    SEEDS,
    a_crash_changes_nothing,
    any_split_gives_the_same_bytes,
    checkpoints_add_up,
)
from support.traffic import Item, run, small_config, traffic

MACHINE = "acct-0"
"""The busiest account of the traffic, and a harvester."""


def judged_traffic(seed: int, events: int = 800) -> list[Item]:
    """Traffic with verdicts in it: on harvesters, people and strangers, some late, some early, some repeated."""
    rng = random.Random(seed)
    items: list[Item] = []
    for number, item in enumerate(traffic(seed, events)):
        items.append(item)
        if rng.random() < 0.04:
            items.append(_verdict(rng, number, item.ts))
        if rng.random() < 0.01:
            items += [one for one in items[-8:] if isinstance(one, Verdict)]
    return items


def _verdict(rng: random.Random, number: int, now: int) -> Verdict:
    return make_verdict(
        verdict_id=f"v{number}",
        subject=f"acct-{rng.choice([0, 0, 1, 2, 3, 6, 9, 99])}",
        label=rng.choice(["benign", "distillation", "unsure"]),
        at=now + rng.choice([0, 0, -20_000, 60_000]),
        kind=rng.choice(["distillation", "distillation", "hard_ceiling"]),
        release=rng.random() < 0.3,
    )


@given(seed=SEEDS, split=SEEDS)
@settings(max_examples=6, deadline=None, phases=NO_SHRINKING)
def test_any_split_into_batches_gives_the_same_bytes(seed: int, split: int) -> None:
    any_split_gives_the_same_bytes(judged_traffic(seed), split)


@given(seed=SEEDS, cut=st.integers(1, 790))
@settings(max_examples=6, deadline=None, phases=NO_SHRINKING)
def test_a_crash_anywhere_changes_neither_state_nor_findings(seed: int, cut: int) -> None:
    a_crash_changes_nothing(judged_traffic(seed), cut)


@given(seed=SEEDS)
@settings(max_examples=5, deadline=None, phases=NO_SHRINKING)
def test_checkpoints_add_up_to_the_snapshot(seed: int) -> None:
    checkpoints_add_up(judged_traffic(seed))


def test_the_traffic_of_these_tests_has_rulings_of_every_kind() -> None:
    """Otherwise the properties above would hold for an engine that hears nothing."""
    said: set[tuple[str, str | None]] = set()
    ready = False
    for seed in range(6):
        engine = AccountEngine(small_config(), 0)
        out = run(engine, judged_traffic(seed), itertools.repeat(100))
        said |= {(finding.activity, finding.ruling) for finding in out.findings}
        ready |= engine.scorer.feedback.reranker.ready
        assert engine.counters["verdicts_unknown"] > 0
    assert {("close", "rejected"), ("create", "confirmed"), ("update", "confirmed"), ("update", "released")} <= said
    assert ready


class Story:
    """The traffic of one seed with one verdict on the harvester in the middle of it."""

    def __init__(self, verdict: Verdict | None, *, seed: int = 1, events: int = 1500) -> None:
        items = traffic(seed, events)
        self.middle = len(items) // 2
        self.at = max(item.ts for item in items[: self.middle])
        self.engine = AccountEngine(small_config(), 0)
        self.before = run(self.engine, items[: self.middle], itertools.repeat(64))
        said = [] if verdict is None else [msgspec.structs.replace(verdict, at=self.at)]
        self.after = self._feed([*said, *items[self.middle :]])

    def _feed(self, items: list[Item]) -> Outputs:
        offsets = list(range(self.middle, self.middle + len(items)))
        return self.engine.process(Batch(items=items, offsets=offsets, next_offset=offsets[-1] + 1))

    def told(self, out: Outputs) -> list[Finding]:
        """What was said about the harvester's distillation."""
        return [one for one in out.findings if one.subject == MACHINE and one.kind == "distillation"]

    def row(self) -> Any:
        slot = self.engine.table.find(MACHINE)
        assert slot is not None
        return self.engine.table.row(slot)


def about_the_machine(**overrides: Any) -> Verdict:
    return make_verdict(**({"subject": MACHINE, "finding_uid": "inc-1"} | overrides))


def test_without_a_verdict_the_incident_goes_on() -> None:
    story = Story(None)
    assert [finding.activity for finding in story.told(story.before)][:1] == ["create"]
    assert "close" not in {finding.activity for finding in story.told(story.after)}
    assert story.row()["incident_pane"] != 0


def test_benign_closes_the_incident_and_says_who_said_so() -> None:
    story = Story(about_the_machine(label="benign", note="our own nightly job"))
    opened = story.told(story.before)[0]
    closed = [finding for finding in story.told(story.after) if finding.activity == "close"]
    assert [(finding.uid, finding.ruling) for finding in closed] == [(opened.uid, "rejected")]
    statement = closed[0].evidence[0].statement
    assert statement.startswith("kim judged that the account is benign (verdict ver-1)")
    assert "our own nightly job" in statement


def handed_on(story: Story) -> list[Verdict]:
    return [item.verdict for item in story.after.profiles if isinstance(item, CampaignVerdict)]


@pytest.mark.parametrize(
    "verdict",
    [
        {"label": "benign"},
        {"label": "distillation"},
        {"label": "benign", "subject": "stranger"},
        {"label": "benign", "subject": "campaign-1", "subject_kind": "campaign"},
    ],
)
def test_the_campaign_agent_hears_of_verdicts_that_may_concern_it(verdict: dict[str, Any]) -> None:
    (heard,) = handed_on(Story(about_the_machine(**verdict), events=400))
    assert heard.subject == verdict.get("subject", MACHINE)


@pytest.mark.parametrize("verdict", [{"label": "unsure"}, {"label": "benign", "kind": "hard_ceiling"}])
def test_the_campaign_agent_does_not_hear_of_others(verdict: dict[str, Any]) -> None:
    assert handed_on(Story(about_the_machine(**verdict), events=400)) == []


def test_benign_on_a_burst_ends_that_incident_only() -> None:
    story = Story(about_the_machine(label="benign", kind="hard_ceiling", finding_uid="burst-1"))
    (closed,) = [finding for finding in story.after.findings if finding.ruling == "rejected"]
    assert (closed.uid, closed.kind, closed.activity) == ("burst-1", "hard_ceiling", "close")
    assert story.row()["incident_pane"] != 0
    assert story.engine.scorer.feedback.of(MACHINE) is None


def test_after_benign_the_same_behaviour_stays_quiet_and_ranks_low() -> None:
    story = Story(about_the_machine(label="benign"))
    closed_at = next(finding.time_ms for finding in story.told(story.after) if finding.activity == "close")
    later = [finding for finding in story.told(story.after) if finding.time_ms > closed_at]
    assert later == []
    scores = {row.account_id: row.score for row in story.engine.accounts()}
    assert scores[MACHINE] < scores["acct-3"]  # another harvester, on whom nobody judged


def test_new_evidence_since_a_benign_verdict_opens_a_new_incident() -> None:
    """The same account behaved like a person until the verdict: what was accepted was little."""
    quiet = [_as_person(item) for item in traffic(1, 700)]
    loud = [_later(item, quiet[-1].ts) for item in traffic(2, 900)]
    verdict = about_the_machine(label="benign", at=quiet[-1].ts)
    engine = AccountEngine(small_config(), 0)
    out = run(engine, [*quiet, verdict, *loud], itertools.repeat(64))
    told = [one for one in out.findings if one.subject == MACHINE and one.kind == "distillation"]
    assert told[0].activity == "create"
    assert told[0].evidence[-1].signal == "verdict"


def _as_person(item: Item) -> Item:
    if not isinstance(item, RequestEvent) or item.account_id != MACHINE or item.sketch is None:
        return item
    return msgspec.structs.replace(item, sketch=msgspec.structs.replace(item.sketch, style=6, text_hash=5))


def _later(item: Item, by: int) -> Item:
    moved = item.ts - T0 + by
    if isinstance(item, RequestEvent):
        return msgspec.structs.replace(item, ts=moved, event_id=f"x{item.event_id}")
    return msgspec.structs.replace(item, ts=moved)  # type: ignore[type-var]  # a heartbeat: this traffic has no verdicts


def test_distillation_confirms_the_incident() -> None:
    story = Story(about_the_machine(label="distillation"))
    opened = story.told(story.before)[0]
    ruled = [finding for finding in story.told(story.after) if finding.ruling == "confirmed"]
    assert {finding.uid for finding in ruled} == {opened.uid}
    assert {finding.tier for finding in ruled} == {"critical"}
    assert {finding.activity for finding in ruled} == {"update"}
    assert len(ruled) > 1  # it is said again while the account goes on
    ranked = sorted(story.engine.accounts(), key=lambda row: -row.score)
    assert ranked[0].account_id == MACHINE


def test_distillation_opens_an_incident_that_the_detector_had_missed_and_it_does_not_close() -> None:
    story = Story(about_the_machine(label="distillation", subject="acct-1"))
    told = [one for one in story.after.findings if one.subject == "acct-1" and one.kind == "distillation"]
    assert told[0].activity == "create"
    assert {finding.activity for finding in told[1:]} <= {"update"}
    assert story.engine.scorer.feedback.of("acct-1") is not None


def test_a_confirmed_account_never_teaches() -> None:
    story = Story(about_the_machine(label="distillation", subject="acct-1"))
    taught = {"confirmed": story.engine, "free": Story(None).engine}
    last = {
        name: int(engine.table.rows["taught_pane"][engine.table.slots(["acct-1"])[0]])
        for name, engine in taught.items()
    }
    assert last["confirmed"] <= story.at // 1000 < last["free"]


def test_unsure_is_kept_and_changes_nothing_else() -> None:
    free, unsure = Story(None), Story(about_the_machine(label="unsure"))
    assert [one.alert_uid for one in unsure.after.findings] == [one.alert_uid for one in free.after.findings]
    assert unsure.engine.scorer.feedback.of(MACHINE) is not None
    assert list(unsure.engine.accounts()) == list(free.engine.accounts())


def test_the_later_of_two_verdicts_counts_whatever_their_order() -> None:
    yes = about_the_machine(label="distillation", verdict_id="ver-1", at=T0 + 5_000)
    no = about_the_machine(label="benign", verdict_id="ver-2", at=T0 + 5_001)
    items = traffic(1, 300)
    later = Heartbeat(max(item.ts for item in items) + 60_000)
    for order in ([yes, no], [no, yes], [yes, no, yes]):
        engine = AccountEngine(small_config(), 0)
        run(engine, [*items, *order, later], itertools.repeat(1))
        judged = engine.scorer.feedback.of(MACHINE)
        assert judged is not None
        assert judged.verdict_id == "ver-2"
        assert engine.table.rows["incident_pane"][engine.table.slots([MACHINE])[0]] == 0


def test_a_release_does_not_wait_for_the_pane() -> None:
    items = traffic(1, 300)
    engine = AccountEngine(small_config(), 0)
    run(engine, items, itertools.repeat(64))
    verdict = about_the_machine(label="unsure", release=True, at=items[-1].ts)
    out = engine.process(Batch(items=[verdict], offsets=[len(items)], next_offset=len(items) + 1))
    assert [(one.ruling, one.uid, one.subject) for one in out.findings] == [("released", "inc-1", MACHINE)]


@pytest.mark.parametrize("shift", [-10_000_000_000, 10_000_000_000])
def test_an_analysts_clock_moves_nothing(shift: int) -> None:
    items = traffic(1, 300)
    engine = AccountEngine(small_config(), 0)
    run(engine, items, itertools.repeat(64))
    known = engine.clock.max_ts
    verdict = about_the_machine(label="benign", at=known + shift)
    engine.process(Batch(items=[verdict], offsets=[len(items)], next_offset=len(items) + 1))
    assert engine.clock.max_ts == known
    engine.finish()
    assert engine.counters["verdicts"] == 1


def test_a_forgotten_account_starts_counting_again() -> None:
    story = Story(about_the_machine(label="benign"))
    feedback = story.engine.scorer.feedback
    assert any(feedback.judged[MACHINE].counts)
    feedback.restart([MACHINE])
    assert not any(feedback.judged[MACHINE].counts)
    rows = np.atleast_1d(story.row())
    assert feedback.since(rows)["harvest"][0] == rows["harvest"][0]
