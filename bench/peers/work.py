"""The reference work, in one place: what every peer does with every event, and what must come out.

    event → event-time window of 60 s of its account: requests and tokens so far → five features in [0, 1)
          → Half-Space Trees: score, then learn → an alert where the score is above 0.988

An alert is `{"event_id", "account_id", "score"}`. Scaling by x / (x + typical) needs no transcendental function, so
NumPy and plain Python agree to the last bit, and a peer passes only if it says the very same scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from river import anomaly

WINDOW_SECONDS = 60
WINDOW_MS = WINDOW_SECONDS * 1000
ALERT_ABOVE = 0.988
FEATURES = ("input_tokens", "latency_ms", "output_tokens", "window_requests", "window_tokens")
TYPICAL = (2_000.0, 5_000.0, 2_000.0, 50.0, 50_000.0)
"""Each feature's value that becomes 0.5."""
TREES, HEIGHT, FOREST_WINDOW, SEED = 10, 8, 1_000, 7


class Request(msgspec.Struct):
    """The fields of a request event that the work needs; a decoder that can skip the rest may."""

    event_id: str
    ts: int
    account_id: str
    latency_ms: float
    input_tokens: int
    output_tokens: int


class Alert(msgspec.Struct, frozen=True, order=True):
    """What is written for an event with a strange score."""

    event_id: str
    account_id: str
    score: float


def new_forest() -> Any:
    """River's own estimator, as its documentation makes one."""
    return anomaly.HalfSpaceTrees(n_trees=TREES, height=HEIGHT, window_size=FOREST_WINDOW, seed=SEED)


def features(input_tokens: int, output_tokens: int, latency_ms: float, requests: int, tokens: int) -> dict[str, float]:
    """River's input: each feature by name, scaled to [0, 1)."""
    return {
        "input_tokens": input_tokens / (input_tokens + 2_000.0),
        "latency_ms": latency_ms / (latency_ms + 5_000.0),
        "output_tokens": output_tokens / (output_tokens + 2_000.0),
        "window_requests": requests / (requests + 50.0),
        "window_tokens": tokens / (tokens + 50_000.0),
    }


def oracle(events: Iterable[Request]) -> list[Alert]:
    """One event after another, with nothing but River and a dictionary: the alerts that every peer must raise."""
    forest = new_forest()
    windows: dict[str, tuple[int, int, int]] = {}
    alerts = []
    for event in events:
        window = event.ts // WINDOW_MS
        seen, requests, tokens = windows.get(event.account_id, (window, 0, 0))
        if seen != window:
            requests, tokens = 0, 0
        requests, tokens = requests + 1, tokens + event.input_tokens + event.output_tokens
        windows[event.account_id] = (window, requests, tokens)
        row = features(event.input_tokens, event.output_tokens, event.latency_ms, requests, tokens)
        score = forest.score_one(row)
        forest.learn_one(row)
        if score > ALERT_ABOVE:
            alerts.append(Alert(event.event_id, event.account_id, score))
    return alerts


def differences(found: Sequence[Alert], wanted: Sequence[Alert]) -> str:
    """Empty where the first `len(wanted)` alerts are the wanted ones, in order; else what is wrong, in words."""
    if len(found) < len(wanted):
        return f"{len(found)} alerts, wanted {len(wanted)}"
    for number, (one, other) in enumerate(zip(found, wanted, strict=False)):
        if one != other:
            return f"alert {number} is {one}, wanted {other}"
    return ""


def overlap(found: Iterable[Alert], wanted: Iterable[Alert]) -> float:
    """Events that both raise an alert for, as a share of those that either does (Jaccard)."""
    one, other = {alert.event_id for alert in found}, {alert.event_id for alert in wanted}
    return len(one & other) / len(one | other) if one | other else 1.0
