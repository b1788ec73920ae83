"""Every detector ranks the account it is about high, and its benign look-alike not, among ordinary people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import pytest
from stillwatch_models import content, features
from stillwatch_models.detectors import DETECTORS, Values
from stillwatch_models.learners.half_space_trees import HalfSpaceForest, Shape
from stillwatch_models.learners.population import Population, stratum_of
from stillwatch_schemas.events import RequestEvent, Sketch
from support.builders import T0, make_event
from support.folding import rows_of

HOUR, DAY = 3_600.0, 86_400.0
PEOPLE = 60
"""Of each sort: occasional ones, and busy ones for the strata of busy accounts."""
FIRES, SILENT = 0.03, 0.10
"""p-values: at most, at least."""

Requests = Iterator[tuple[float, dict[str, object]]]
"""Second of the day and fields of each request of one account."""
Habit = Callable[[np.random.Generator], Requests]


def text(number: int, skeleton: int, topic: int, **scores: float) -> Sketch:
    """A prompt: which text, which skeleton, which corner of the topic map."""
    cells = tuple(int(c) for c in (np.arange(4) * 997 + topic * 31) % 4096)
    return Sketch(text_hash=1 + number, template=1 + skeleton, cells=cells, embedding=around(topic, number), **scores)


def around(topic: int, number: int) -> bytes:
    """An embedding of length one: mostly the topic's direction, a little of the text's own."""
    direction = _direction(topic) + 0.4 * np.random.default_rng([number % 2**32, 5]).normal(size=32)
    return np.round(127 * direction / np.linalg.norm(direction)).astype(np.int8).tobytes()


@cache
def _direction(topic: int) -> np.ndarray:
    return np.random.default_rng([topic, 3]).normal(size=32)


def person(rng: np.random.Generator, visits: int = 4) -> Requests:
    """Comes a few times, talks for a while about one of a few topics, reads and thinks between requests."""
    topics = rng.integers(0, 4_000, 6)
    habits = {"temperature": 0.0} if rng.random() < 0.3 else {}
    for visit in range(visits):
        now = visit * DAY + rng.uniform(8, 22) * HOUR
        topic, length = int(rng.choice(topics)), int(rng.integers(1, 7))
        for turn in range(length):
            skeleton = 0 if rng.random() < 0.3 else int(rng.integers(2**20))  # "summarise this: ..."
            asks = 0.5 * (rng.random() < 0.05)
            sketch = text(int(rng.integers(2**40)), skeleton, topic, elicitation=asks)
            yield now, {"conversation_id": f"c{visit}", "turn": turn, "sketch": sketch} | habits
            now += float(rng.lognormal(4.0, 1.3))


def busy_person(rng: np.random.Generator) -> Requests:
    """The same, several times a day."""
    return person(rng, visits=60)


def harvester(rng: np.random.Generator) -> Requests:
    """A closed loop round the clock: always a new text, topic, conversation and skeleton; asks for the reasoning."""
    for n in range(480):
        sketch = text(n, n, int(rng.integers(4_000)), elicitation=0.8)
        yield n * 600.0 * float(rng.uniform(0.97, 1.03)), {"conversation_id": f"c{n}", "turn": 0, "sketch": sketch}


def evening_reader(rng: np.random.Generator) -> Requests:
    """As many requests as a harvester, at a reader's pace in a reader's hours."""
    for at, fields in person(rng, visits=60):
        yield at // DAY * DAY + 19 * HOUR + at % (3 * HOUR), fields


def judge(rng: np.random.Generator) -> Requests:
    """A pipeline: one template, few topics, always the same questions."""
    for n in range(400):
        known = int(rng.integers(20))
        sketch = text(known, 7, known % 3, grading=0.0)
        yield 9 * HOUR + n * 20.0, {"conversation_id": f"c{n}", "turn": 0, "sketch": sketch}


def assistant(rng: np.random.Generator) -> Requests:
    """A developer's editor: hundreds of requests in few, long conversations."""
    for n in range(400):
        sketch = text(n, int(rng.integers(30)), n % 5)
        fields = {"conversation_id": f"c{n // 40}", "turn": n % 40, "sketch": sketch, "tool_count": 2}
        yield 9 * HOUR + n * float(rng.uniform(20, 60)), fields


def steady_newcomer(_: np.random.Generator) -> Requests:
    """Few requests, evenly over the days: nothing to see in its volume."""
    for n in range(16):
        yield n * DAY / 4, {"conversation_id": f"c{n}", "turn": 0, "sketch": text(n, n, 3)}


def curious(rng: np.random.Generator) -> Requests:
    """Asks for the reasoning now and then."""
    for at, fields in busy_person(rng):
        asks = rng.random() < 0.03
        yield at, fields | {"sketch": text(int(rng.integers(2**40)), 1, 5, elicitation=0.8 if asks else 0.0)}


def specialist(rng: np.random.Generator) -> Requests:
    """A closed loop about one subject, always new prompts."""
    for n in range(480):
        sketch = text(int(rng.integers(2**40)), n, 77)
        yield n * 600.0, {"conversation_id": f"c{n}", "turn": 0, "sketch": sketch}


def prober(rng: np.random.Generator) -> Requests:
    """Goes through a list of forbidden questions."""
    for n in range(200):
        yield n * 700.0, {"sketch": text(int(rng.integers(2**40)), n, int(rng.integers(50)), probing=0.7)}


def miner(rng: np.random.Generator) -> Requests:
    """Asks for log probabilities or several answers, decoding held fixed."""
    for at, fields in busy_person(rng):
        yield at, fields | {"logprobs": rng.random() < 0.7, "n": 4 if rng.random() < 0.5 else 1, "seed": 7}


def fixed_decoder(rng: np.random.Generator) -> Requests:
    """A person's requests, but with temperature 0, as so many programs send them."""
    for at, fields in busy_person(rng):
        yield at, fields | {"temperature": 0.0}


def pivoter(rng: np.random.Generator) -> Requests:
    """Moves to a new model on the day of its release, the twentieth."""
    for at, fields in busy_person(rng):
        yield at, fields | {"model": "aurora-3" if 20 * DAY < at < 22 * DAY or at > 24 * DAY else "aurora-2"}


def late_mover(rng: np.random.Generator) -> Requests:
    """Moves to it days later."""
    for at, fields in busy_person(rng):
        yield at, fields | {"model": "aurora-3" if at > 25 * DAY else "aurora-2"}


def comparer(rng: np.random.Generator) -> Requests:
    """Sends every prompt to three models."""
    for at, fields in busy_person(rng):
        for number, model in enumerate(("aurora-2", "aurora-2-mini", "borealis-1")):
            yield at + 2.0 * number, fields | {"model": model}


HABITS: dict[str, Habit] = {
    "specialist": specialist,
    "prober": prober,
    "miner": miner,
    "fixed_decoder": fixed_decoder,
    "pivoter": pivoter,
    "late_mover": late_mover,
    "comparer": comparer,
    "harvester": harvester,
    "evening_reader": evening_reader,
    "judge": judge,
    "assistant": assistant,
    "steady_newcomer": steady_newcomer,
    "curious": curious,
    "person": person,
    "busy_person": busy_person,
}


def requests_of(name: str, habit: Habit, seed: int) -> list[RequestEvent]:
    defaults = {"prompt": None, "conversation_id": None}
    return [
        make_event(event_id=f"{name}-{n}", account_id=name, ts=T0 + int(1000 * at), **(defaults | fields))
        for n, (at, fields) in enumerate(habit(np.random.default_rng(seed)))
    ]


@pytest.fixture(scope="module")
def p_values() -> dict[tuple[str, str], float]:
    """p-value of each odd account for each detector, against the people alone."""
    sorts = (person, busy_person)
    items = [e for i in range(2 * PEOPLE) for e in requests_of(f"+{i:03}", sorts[i % 2], i)]
    for name, habit in HABITS.items():
        items.extend(requests_of(name, habit, 999))
    rows = rows_of(items)  # by id: "+" comes before letters
    slots = {name: 2 * PEOPLE + i for i, name in enumerate(sorted(HABITS))}
    raw = features.matrix(rows)
    crowd = slice(0, 2 * PEOPLE)
    forest = HalfSpaceForest(tuple(f.name for f in features.FEATURES), Shape(window=2 * PEOPLE))
    forest.learn(features.scaled(raw)[crowd])
    middle = content.centre(rows["content_mean"][crowd])
    apart = content.distances(rows["content_mean"], features.total(rows, "texts"), middle)
    values = Values(raw, forest.score(features.scaled(raw)), apart)
    scores = np.column_stack([detector.score(values) for detector in DETECTORS])
    people = Population(columns=len(DETECTORS), minimum=50)
    people.rebuild(scores[crowd].astype(np.float32), rows["events"][crowd])
    p = people.p_values(scores, stratum_of(rows["events"]))
    names = [detector.name for detector in DETECTORS]
    return {(account, name): float(p[slots[account], i]) for account in HABITS for i, name in enumerate(names)}


def test_volume_exposes_a_ramp_that_teaches_its_own_average() -> None:
    """Among steady accounts as busy as the ramp has become, the one that grew 5 % a day stands out."""
    steady = [30.0 + i / 2 for i in range(60)]
    items = [e for i, n in enumerate(steady) for e in growing(f"+{i:02}", n, 1.0)]
    rows = rows_of([*items, *growing("ramp", 10.0, 1.05), *growing("steady", 45.0, 1.0)])
    values = Values(features.matrix(rows), np.zeros(len(rows)))
    scores = DETECTORS[0].score(values)[:, None]
    people = Population(columns=1, minimum=50)
    people.rebuild(scores[:60].astype(np.float32), stratum_of(rows["events"][:60]))
    ramp, calm = people.p_values(scores[60:], stratum_of(rows["events"][60:]))[:, 0]
    assert ramp <= FIRES
    assert calm >= SILENT


def growing(name: str, first_day: float, daily: float, days: int = 50) -> list[RequestEvent]:
    """An account that sends so many requests on its first day and so many times more every day, evenly."""
    times = [(d + i / n) * DAY for d in range(days) for n in [round(first_day * daily**d)] for i in range(n)]
    return [make_event(event_id=f"{name}{k}", account_id=name, ts=T0 + int(1000 * at)) for k, at in enumerate(times)]


CASES = {
    "volume": ("harvester", "steady_newcomer"),
    "machine_rhythm": ("harvester", "evening_reader"),
    "session_shape": ("harvester", "assistant"),
    "template_mass": ("harvester", "judge"),
    "coverage_growth": ("harvester", "judge"),
    "elicitation": ("harvester", "curious"),
    "half_space_trees": ("harvester", "busy_person"),
    "content_breadth": ("harvester", "evening_reader"),
    "capability_focus": ("specialist", "judge"),
    "probing": ("prober", "curious"),
    "parameter_habits": ("miner", "fixed_decoder"),
    "release_pivot": ("pivoter", "late_mover"),
    "model_requery": ("comparer", "judge"),
}
"""Detector, the account that must fire it, and the look-alike that must not."""


def test_every_detector_has_its_pair() -> None:
    assert list(CASES) == [detector.name for detector in DETECTORS]


@pytest.mark.parametrize("detector", CASES)
def test_what_it_looks_for_stands_out(detector: str, p_values: dict[tuple[str, str], float]) -> None:
    assert p_values[CASES[detector][0], detector] <= FIRES


@pytest.mark.parametrize("detector", CASES)
def test_its_look_alike_does_not(detector: str, p_values: dict[tuple[str, str], float]) -> None:
    assert p_values[CASES[detector][1], detector] >= SILENT


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.name)
def test_a_detector_explains_itself_in_numbers(detector: object) -> None:
    rows = np.zeros((1, len(features.FEATURES)))
    statement = detector.statement(Values(rows, np.zeros(1)))
    assert any(character.isdigit() for character in statement)
    assert "nan" not in statement


def test_values_know_the_features_by_name_and_nothing_else() -> None:
    values = Values(np.arange(2.0 * len(features.FEATURES)).reshape(2, -1), np.zeros(2))
    assert values.events_per_day.tolist() == [0.0, float(len(features.FEATURES))]
    assert values.row(1).events_per_day.tolist() == [float(len(features.FEATURES))]
    assert len(values) == 2
    with pytest.raises(AttributeError, match="speed"):
        _ = values.speed
