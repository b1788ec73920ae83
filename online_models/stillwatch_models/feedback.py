"""What analysts decided: the latest verdict on each account, and what follows from it when accounts are scored.

- *benign*: what was counted up to the verdict no longer counts, and the rate of harvest events that the analyst saw
  and accepted is innocent for this account from now on (for `rejected_seconds` of event time). So the account is quiet
  until what it does *since* the verdict is evidence by itself, against its own accepted past.
- *distillation*: the account is confirmed. It ranks first, its incident does not close by itself, and it never teaches.
- *unsure* is kept and changes nothing.

Detectors that supported rejected incidents lose weight in the joint score (never more than half of it), and every
verdict teaches the re-ranker. All state is small: one entry a judged account, the oldest forgotten beyond
`MOST_JUDGED`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.verdicts import Label, Verdict

from stillwatch_models import evidence
from stillwatch_models.accounts import START, Rows, key_of
from stillwatch_models.evidence import Rates
from stillwatch_models.learners.reranker import Reranker
from stillwatch_models.reranked import COLUMNS, account_features

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

COUNTS = ("harvest", "informal_harvest", "answers", "harvest_blocks", "blocks")
"""Columns of a row whose part before a benign verdict no longer counts."""
MOST_JUDGED = 10_000
ACCEPTED_MARGIN, MOST_ACCEPTED = 0.05, 0.95
"""Added to the share of harvest events that an analyst accepted, and where that ends."""
PRIOR_VERDICTS = 4.0
"""Verdicts' worth of trust that every signal starts with."""
LEAST_TRUST = 0.5
ROW_PREFIX, MODEL_ROW = b"v:", b"m:feedback"


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """The latest verdict on one account, and what had been counted by then."""

    label: Label
    at: int
    verdict_id: str
    analyst: str
    note: str = ""
    pane: int
    """Pane at whose end it took effect."""
    counts: tuple[int, ...] = (0,) * len(COUNTS)
    rates: Rates = Rates()
    """What is innocent for this account since a benign verdict."""


class Model(msgspec.Struct, frozen=True):
    """The part of the state that is of no single account."""

    trust: dict[str, tuple[int, int]]
    """Signal → incidents it supported that were confirmed, and that were rejected."""
    reranker: msgspec.Raw


class Feedback:
    """Verdicts of one shard and their effect on its scores."""

    def __init__(self, rejected_panes: int) -> None:
        self.judged: dict[str, Judged] = {}
        self.reranker = Reranker(COLUMNS)
        self.trust: dict[str, tuple[int, int]] = {}
        self._rejected_panes = rejected_panes
        self._dirty: set[str] = set()
        self._changed = False
        self._index()

    # -- hearing -------------------------------------------------------------------------------------------------

    def is_news(self, verdict: Verdict) -> bool:
        """Whether it is later than what is known of the account: a repeated or overtaken verdict changes nothing."""
        known = self.judged.get(verdict.subject)
        return known is None or (verdict.at, verdict.verdict_id) > (known.at, known.verdict_id)

    def note(self, verdict: Verdict, pane: int, row: Rows, usual: Rates) -> None:
        """Remember the verdict with what the account's row says now."""
        known = self.judged.get(verdict.subject)
        if verdict.label == "unsure" and known is not None:
            return
        self.judged[verdict.subject] = Judged(
            label=verdict.label,
            at=verdict.at,
            verdict_id=verdict.verdict_id,
            analyst=verdict.analyst,
            note=verdict.note,
            pane=pane,
            counts=tuple(int(row[name]) for name in COUNTS),
            rates=_accepted(row, usual),
        )
        self._touch(verdict.subject)
        if len(self.judged) > MOST_JUDGED:
            oldest = min(self.judged, key=lambda account: (self.judged[account].at, account))
            del self.judged[oldest]
            self._touch(oldest)

    def learn(self, row: Rows, signals: Iterable[str], *, distils: bool) -> None:
        """Teach the re-ranker, and the trust in the signals that supported the incident."""
        self.reranker.learn(account_features(np.atleast_1d(row))[0], distils=distils)
        for signal in signals:
            confirmed, rejected = self.trust.get(signal, (0, 0))
            self.trust[signal] = (confirmed + distils, rejected + (not distils))
        self._changed = True

    def restart(self, accounts: Iterable[str]) -> None:
        """Their rows were forgotten, so counting starts again from nothing."""
        for account in accounts:
            known = self.judged.get(account)
            if known is not None and any(known.counts):
                self.judged[account] = msgspec.structs.replace(known, counts=(0,) * len(COUNTS))
                self._touch(account)

    # -- what follows --------------------------------------------------------------------------------------------

    def since(self, rows: Rows) -> Rows:
        """The rows, less what was counted before a benign verdict; the very same rows where there was none."""
        found, at = self._rejected_among(rows)
        if not len(found):
            return rows
        rows = rows.copy()
        for column, name in enumerate(COUNTS):
            rows[name][found] = np.maximum(rows[name][found] - self._counts[at, column], 0)
            if name in (START.names or ()):
                starts = rows["starts"][name][found] - self._counts[at, column, None]
                rows["starts"][name][found] = np.maximum(starts, 0)
        return rows

    def nats(self, rows: Rows, nats: Floats) -> Floats:
        """Evidence of the harvest test; where a benign verdict holds, against what was accepted. Takes `since` rows."""
        found, at = self._rejected_among(rows)
        for position, index in zip(found.tolist(), at.tolist(), strict=True):
            judged = self._rejected[index]
            if int(rows["pane"][position]) - judged.pane > self._rejected_panes:
                continue
            one = rows[position : position + 1]
            own = evidence.harvest_nats(one["harvest"], one["informal_harvest"], one["answers"], judged.rates)
            nats[position] = min(nats[position], own[0])
        return nats

    def confirmed(self, rows: Rows) -> Mask:
        """Accounts that an analyst confirmed."""
        if not len(self._confirmed_keys):
            return np.zeros(len(rows), bool)
        return np.isin(rows["key"], self._confirmed_keys)

    def of(self, account: str) -> Judged | None:
        """The latest verdict on an account."""
        return self.judged.get(account)

    def weights(self, names: Sequence[str], weights: Sequence[float]) -> tuple[float, ...]:
        """Detectors' weights in the joint score, less where analysts reject what they support."""
        return tuple(weight * self.trust_in(name) for name, weight in zip(names, weights, strict=True))

    def trust_in(self, signal: str) -> float:
        """1 while nothing was rejected; then the share of confirmed incidents, drawn towards 1, at least a half."""
        confirmed, rejected = self.trust.get(signal, (0, 0))
        return max(LEAST_TRUST, (PRIOR_VERDICTS + confirmed) / (PRIOR_VERDICTS + confirmed + rejected))

    def terms(self, rows: Rows, protected: Mask) -> Floats:
        """What the re-ranker adds to the rank; it takes nothing from accounts that are `protected`."""
        if not self.reranker.ready or not len(rows):
            return np.zeros(len(rows))
        terms = self.reranker.terms(account_features(rows))
        return np.asarray(np.where(protected, np.maximum(terms, 0.0), terms))

    # -- putting down and picking up -----------------------------------------------------------------------------

    def take_dirty(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Changed rows (None: deleted), which become clean."""
        for account in sorted(self._dirty):
            judged = self.judged.get(account)
            yield _row_key(account), None if judged is None else msgspec.json.encode(judged)
        if self._changed:
            yield MODEL_ROW, self._model()
        self._dirty.clear()
        self._changed = False

    def dump(self) -> Iterator[tuple[bytes, bytes]]:
        """All rows, in key order; none before the first verdict."""
        for account, judged in sorted(self.judged.items()):
            yield _row_key(account), msgspec.json.encode(judged)
        if self.trust or self.reranker.state.examples:
            yield MODEL_ROW, self._model()

    def load(self, rows: Mapping[bytes, bytes]) -> None:
        """Take over a dump."""
        for key, row in rows.items():
            if key.startswith(ROW_PREFIX):
                account = key[len(ROW_PREFIX) :].decode("utf-8", "surrogatepass")
                self.judged[account] = msgspec.json.decode(row, type=Judged)
        if MODEL_ROW in rows:
            model = msgspec.json.decode(rows[MODEL_ROW], type=Model)
            self.trust = model.trust
            self.reranker.load(bytes(model.reranker))
        self._index()

    def _model(self) -> bytes:
        model = Model(dict(sorted(self.trust.items())), msgspec.Raw(self.reranker.dump()))
        return msgspec.json.encode(model)

    def _touch(self, account: str) -> None:
        self._dirty.add(account)
        self._index()

    def _index(self) -> None:
        """Arrays to find judged accounts by; verdicts are rare, scoring is not."""
        rejected = sorted((key_of(account), account) for account, one in self.judged.items() if one.label == "benign")
        self._rejected = [self.judged[account] for _, account in rejected]
        self._rejected_keys = np.array([key for key, _ in rejected], np.uint64)
        self._counts = np.array([one.counts for one in self._rejected], np.int64).reshape(-1, len(COUNTS))
        confirmed = [key_of(account) for account, one in self.judged.items() if one.label == "distillation"]
        self._confirmed_keys = np.array(sorted(confirmed), np.uint64)

    def _rejected_among(self, rows: Rows) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Positions of rows with a benign verdict, and each one's place in `_rejected`."""
        nobody = np.zeros(0, np.intp)
        if not self._rejected:
            return nobody, nobody
        at = np.minimum(np.searchsorted(self._rejected_keys, rows["key"]), len(self._rejected) - 1)
        found = np.flatnonzero(self._rejected_keys[at] == rows["key"])
        return found, at[found]


def _accepted(row: Rows, usual: Rates) -> Rates:
    """The rates that an analyst has seen and found innocent."""
    answers = int(row["answers"]) + 2

    def accepted(name: str, least: float) -> float:
        return max(least, min(MOST_ACCEPTED, (int(row[name]) + 1) / answers + ACCEPTED_MARGIN))

    return Rates(strict=accepted("harvest", usual.strict), loose=accepted("informal_harvest", usual.loose))


def _row_key(account: str) -> bytes:
    return ROW_PREFIX + account.encode("utf-8", "surrogatepass")
