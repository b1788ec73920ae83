"""The re-ranker: an online logistic regression that learns from analysts' verdicts which accounts are worth a look.

River's `LogisticRegression` under plain gradient descent with L2. Each verdict is one example; the latest `KEPT` of
them are kept and gone over `PASSES` times with every new one, both classes weighted alike, so that twenty verdicts
already say something and the work a verdict makes is bounded. Features lie in [0, 1] and are stretched around their
middle; there is no scaler to be fooled by the first few examples.

It only moves an account in the ranking, by at most `MOST_NATS` either way, and says nothing at all before it has heard
`LEAST_VERDICTS`, both kinds among them. The state is numbers, dumped as JSON; the same verdicts give the same bytes.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from river import linear_model, optim, utils

Floats = NDArray[np.float64]

KEPT = 64
"""Verdicts that are gone over again with each new one; the oldest drops out."""
PASSES = 2
STEP, RIDGE = 0.1, 0.02
"""Learning rate and L2 penalty."""
STRETCH = 4.0
"""Features of [0, 1] become -2 to 2."""
LEAST_VERDICTS, LEAST_OF_EACH = 5, 1
MOST_NATS = 10.0
"""Greatest move in the ranking."""


class Example(msgspec.Struct, frozen=True, array_like=True):
    """One verdict: what the account looked like, and what it was."""

    features: tuple[float, ...]
    distils: bool


class State(msgspec.Struct, frozen=True):
    """All there is to dump."""

    weights: tuple[float, ...] = ()
    intercept: float = 0.0
    examples: tuple[Example, ...] = ()
    distils: int = 0
    benign: int = 0


class Reranker:
    """Learns account by account; ranks any number of accounts at once."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.state = State(weights=(0.0,) * columns)

    @property
    def ready(self) -> bool:
        """Whether it has heard enough to say anything."""
        least = min(self.state.distils, self.state.benign)
        return least >= LEAST_OF_EACH and self.state.distils + self.state.benign >= LEAST_VERDICTS

    def learn(self, features: Floats, *, distils: bool) -> None:
        """Take one verdict on an account with these features, each in [0, 1]."""
        state = self.state
        examples = (*state.examples, Example(tuple(features.tolist()), distils))[-KEPT:]
        model = self._model()
        for _ in range(PASSES):
            for example, weight in zip(examples, _balance(examples), strict=True):
                model.learn_one(_stretched(example.features), example.distils, w=weight)
        weights = model.weights
        self.state = State(
            weights=tuple(float(weights.get(column, 0.0)) for column in range(self.columns)),
            intercept=float(model.intercept),
            examples=examples,
            distils=state.distils + distils,
            benign=state.benign + (not distils),
        )

    def terms(self, features: Floats) -> Floats:
        """What to add to the rank of each account, in nats, shape (n,); zeros while not `ready`.

        Added up column by column, so that an account's term does not depend on who is asked about at the same time.
        """
        total = np.full(len(features), self.state.intercept)
        if not self.ready:
            return np.zeros(len(features))
        for column, weight in enumerate(self.state.weights):
            total += weight * STRETCH * (features[:, column] - 0.5)
        return np.asarray(MOST_NATS * total / (1.0 + np.abs(total)))

    def dump(self) -> bytes:
        """The state as JSON."""
        return msgspec.json.encode(self.state)

    def load(self, data: bytes) -> None:
        """Take over a dump; one of other features is forgotten, for its weights mean nothing here."""
        state = msgspec.json.decode(data, type=State)
        if len(state.weights) == self.columns:
            self.state = state

    def _model(self) -> Any:
        model = linear_model.LogisticRegression(
            optimizer=optim.SGD(STEP), l2=RIDGE, intercept_init=self.state.intercept, intercept_lr=STEP
        )
        model._weights = utils.VectorDict(dict(enumerate(self.state.weights)))  # noqa: SLF001 - River has no setter
        return model


def _stretched(features: tuple[float, ...]) -> dict[int, float]:
    return {column: STRETCH * (value - 0.5) for column, value in enumerate(features)}


def _balance(examples: tuple[Example, ...]) -> list[float]:
    """Both classes weigh the same in sum, and all examples together the same however many they are."""
    distils = sum(example.distils for example in examples)
    of_class = {True: max(distils, 1), False: max(len(examples) - distils, 1)}
    return [2.0 / of_class[example.distils] for example in examples]
