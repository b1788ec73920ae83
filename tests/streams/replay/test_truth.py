"""What is known of the input while it goes by: who was there, on which days, and who attacked when."""

from __future__ import annotations

from stillwatch_schemas.events import RequestEvent
from stillwatch_streams.replay.labels import Label
from stillwatch_streams.replay.truth import DAY_MS, Truth, Watcher
from support.builders import T0, make_event
from support.stories import make_label

LABELS = {
    label.account_id: label
    for label in (make_label("calm"), make_label("thief", "C"), make_label("sleeper", "C"), make_label("absent", "D"))
}


def event(number: int, account: str, ts: int) -> RequestEvent:
    return make_event(event_id=f"e{number}", account_id=account, ts=ts)


EVENTS = [
    event(0, "calm", T0),
    event(1, "calm", T0 + DAY_MS - 1),
    event(2, "calm", T0 + DAY_MS),
    event(3, "thief", T0 + 5),
    event(4, "thief", T0 + 6),
    event(5, "sleeper", T0 + 7),
    event(6, "stranger", T0 + 8),
]


def watched(labels: dict[str, Label] | None, attack_events: dict[str, str] | None) -> Truth | None:
    watcher = Watcher(labels, attack_events)
    watcher.see(EVENTS[:3])
    watcher.see(EVENTS[3:])
    watcher.see([])
    return watcher.truth()


def test_without_event_labels_all_that_a_distilling_account_does_is_attack() -> None:
    truth = watched(LABELS, None)
    assert truth is not None
    assert truth.exchanges == {"C": {"thief": [T0 + 5, T0 + 6], "sleeper": [T0 + 7]}}
    assert set(truth.labels) == set(truth.counted()) == {"calm", "thief", "sleeper"}


def test_event_labels_tell_who_has_not_attacked_yet() -> None:
    truth = watched(LABELS, {"e4": "C"})
    assert truth is not None
    assert truth.exchanges == {"C": {"thief": [T0 + 6]}}
    assert set(truth.labels) == {"calm", "thief", "sleeper"}
    assert set(truth.counted()) == {"calm", "thief"}


def test_account_days_are_days_with_an_event_of_a_benign_account() -> None:
    truth = watched(LABELS, None)
    assert truth is not None
    assert (truth.benign_account_days, truth.start_ms) == (2, T0)


def test_without_labels_there_is_no_truth_but_the_first_time_is_known() -> None:
    assert watched(None, None) is None
    watcher = Watcher(None, None)
    watcher.see(EVENTS[::-1])
    assert watcher.first_ts == T0
