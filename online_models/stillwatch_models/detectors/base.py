"""What a detector is: one number an account, higher is more suspicious, and a sentence that explains it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from stillwatch_models.features import INDEX

Floats = NDArray[np.float64]


class Values:
    """Feature values of many accounts by name; `values.gap_cv` is an array, one entry an account."""

    def __init__(self, features: Floats, forest: Floats, content: Floats | None = None) -> None:
        self._features = features
        self.forest = forest
        """Anomaly score of the Half-Space forest, 0 to 1."""
        self.content = np.zeros(len(features)) if content is None else content
        """Discrepancy of the prompts from the population's; see `content`."""

    def __getattr__(self, name: str) -> Floats:
        try:
            return np.asarray(self._features[:, INDEX[name]])
        except KeyError:
            raise AttributeError(name) from None

    def __len__(self) -> int:
        return len(self._features)

    def row(self, index: int) -> Values:
        """One account's values."""
        return Values(
            self._features[index : index + 1], self.forest[index : index + 1], self.content[index : index + 1]
        )


class Detector(msgspec.Struct, frozen=True):
    """A named signal. `score` must look at each row by itself, so that batches do not matter."""

    name: str
    unit: str
    horizon: str
    weight: float
    """Share in the joint score; a signal that benign automation also shows weighs less."""
    score: Callable[[Values], Floats]
    statement: Callable[[Values], str]
    """The observation in plain language, for one account."""
