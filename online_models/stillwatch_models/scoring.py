"""Scoring at pane close: features, detectors, population, evidence, and who may teach."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.findings import Activity

from stillwatch_models import evidence, features, restarts
from stillwatch_models.accounts import AccountTable, Rows
from stillwatch_models.calibration import Calibration, strata_of
from stillwatch_models.config import EngineConfig
from stillwatch_models.detectors import DETECTORS, Values
from stillwatch_models.evidence import Rates
from stillwatch_models.feedback import Feedback
from stillwatch_models.fold import Cells, rounds
from stillwatch_models.incidents import TIERS
from stillwatch_models.learners.half_space_trees import HalfSpaceForest, Shape
from stillwatch_models.records import put, take
from stillwatch_models.switches import HARVEST, disabled_detectors

Floats = NDArray[np.float64]
Slots = NDArray[np.intp]

NAMES = tuple(detector.name for detector in DETECTORS)
WEIGHTS = tuple(detector.weight for detector in DETECTORS)
OF_ANOTHER_KIND = [
    column
    for column, name in enumerate(NAMES)
    if name in {"volume", "machine_rhythm", "elicitation", "parameter_habits", "release_pivot"}
]
"""Columns of detectors that read nothing of what the harvest test reads."""
STRONG_P = 0.005
"""p-value at which a detector is a strong signal."""
TRANSITIONS: tuple[Activity | None, ...] = (None, "create", "update", "close")
SUPPORTING = 2
"""Detectors named beside the harvest test; the others are weaker."""
JOINT_SHARE = 1_000.0
"""The joint score counts a thousandth of the evidence."""
CONFIRMED_NATS = 10 * evidence.MOST_NATS
"""More than any account without a verdict can reach, members of campaigns included."""
NOTHING, CREATE, UPDATE, CLOSE = range(4)


class Scored(msgspec.Struct):
    """Scores of cells, in the cells' order."""

    values: Values
    scores: Floats
    """One column a detector."""
    p_values: Floats
    nats: Floats
    """Evidence of the harvest test."""
    tier: NDArray[np.int64]
    """1-based position in `incidents.TIERS` of the account's incident after the cell; 0 without one."""
    transition: NDArray[np.int64]
    """What the cell did to the account's incident: index into TRANSITIONS."""
    first_pane: NDArray[np.int64]
    """Pane that opened the incident that the transition is about."""


class Scorer:
    """The learners and the evidence of one shard."""

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self.forest = HalfSpaceForest(tuple(f.name for f in features.FEATURES), Shape(seed=config.seed))
        self.rates = Rates()
        self.muted = disabled_detectors(config)
        """Columns of the detectors that are switched off."""
        self._harvest_counts = HARVEST not in config.disabled_signals
        self.thresholds = evidence.thresholds(
            config.budget_per_10k_account_days, config.tier_budgets.high, config.tier_budgets.critical
        )
        """Of evidence, in nats, by tier."""
        self.threshold = self.thresholds[0]
        self.calibration = Calibration(config, calm_nats=self.threshold / 2)
        self.population = self.calibration.population
        self.feedback = Feedback(round(config.rejected_seconds / config.pane_seconds))
        self.pane_ms = round(config.pane_seconds * 1000)
        self._refresh_panes = max(1, round(config.refresh_seconds / config.pane_seconds))
        self._teach_panes = max(1, round(config.teach_seconds / config.pane_seconds))

    def score(self, table: AccountTable, cells: Cells) -> Scored:
        """Score cells, add up their evidence in the table, and teach the forest. Cells come by pane and account key."""
        raw = features.matrix(cells.after)
        scaled = features.scaled(raw)
        parts = [self._window(table, cells, chosen, raw, scaled) for chosen in self._windows(len(cells.slot))]
        return Scored(
            values=Values(raw, np.concatenate([part.values.forest for part in parts])),
            scores=np.concatenate([part.scores for part in parts]),
            p_values=np.concatenate([part.p_values for part in parts]),
            nats=np.concatenate([part.nats for part in parts]),
            tier=np.concatenate([part.tier for part in parts]),
            transition=np.concatenate([part.transition for part in parts]),
            first_pane=np.concatenate([part.first_pane for part in parts]),
        )

    def _windows(self, cells: int) -> Iterator[slice]:
        """Runs of cells between which the forest may pivot: a run is never longer than the room in its window."""
        start = 0
        while start < cells:
            end = min(cells, start + self.forest.room())
            yield slice(start, end)
            start = end

    def _window(self, table: AccountTable, cells: Cells, chosen: slice, raw: Floats, scaled: Floats) -> Scored:
        after, slots, pane = self.feedback.since(cells.after[chosen]), cells.slot[chosen], cells.pane[chosen]
        values = Values(raw[chosen], self.forest.score(scaled[chosen]), self.calibration.content_of(after))
        scores = np.column_stack([detector.score(values) for detector in DETECTORS])
        p_values = self.population.p_values(scores, strata_of(after))
        p_values[:, self.muted] = 1.0
        enough = after["events"] >= self.config.min_events
        harvest = after["harvest"]
        nats = np.where(enough, self._harvest_nats(after), 0.0)
        tier = self._tiers(after, nats)
        suspicion = evidence.suspicion(nats, after["blocks"], harvest)
        joint = np.where(enough, evidence.joint_score(p_values, self.feedback.weights(NAMES, WEIGHTS)), 0.0)
        transition = np.zeros(len(slots), np.int64)
        first_pane = np.zeros(len(slots), np.int64)
        teaches = np.zeros(len(slots), bool)
        for some in rounds(slots):
            self._note_scores(
                table,
                slots[some],
                scores=scores[some],
                joint=joint[some],
                nats=nats[some],
                suspicion=suspicion[some],
            )
            transition[some], first_pane[some] = self._move_incidents(
                table, slots[some], pane[some], nats[some], tier[some]
            )
            calm = enough[some] & (nats[some] < self.threshold / 2)
            teaches[some] = self._may_teach(table, slots[some], pane[some], calm)
        self.forest.learn(scaled[chosen][teaches])
        return Scored(
            values=values,
            scores=scores,
            p_values=p_values,
            nats=nats,
            tier=tier,
            transition=transition,
            first_pane=first_pane,
        )

    @staticmethod
    def _note_scores(
        table: AccountTable, slots: Slots, *, scores: Floats, joint: Floats, nats: Floats, suspicion: Floats
    ) -> None:
        """Keep the latest scores: the population is made of them."""
        rows = table.rows
        rows["scores"][slots, : scores.shape[1]] = scores
        rows["joint"][slots], rows["evidence"][slots], rows["suspicion"][slots] = joint, nats, suspicion
        rows["peak"][slots] = np.maximum(rows["peak"][slots], suspicion)

    def _move_incidents(
        self, table: AccountTable, slots: Slots, pane: NDArray[np.int64], nats: Floats, tier: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Open, raise or close incidents; returns what happened and the pane that opened each incident.

        An incident closes on evidence of innocence as strong as what opened it, so that a harvester who falls back to
        repeating itself is not let go.
        """
        was_open = table.rows["incident_pane"][slots] != 0
        if not was_open.any() and not tier.any():
            return np.zeros(len(slots), np.int64), np.zeros(len(slots), np.int64)  # nearly always
        rows = take(table.rows, slots)
        confirmed = self.feedback.confirmed(rows)
        stale = was_open & (tier > 0) & (pane - rows["said_pane"] >= self._refresh_panes)
        transition = np.select(
            [
                ~was_open & (tier > 0),
                was_open & (tier > rows["incident_tier"]),
                was_open & (nats <= -self.threshold) & ~confirmed,
                stale,
            ],
            [CREATE, UPDATE, CLOSE, UPDATE],
            NOTHING,
        )
        first_pane = np.where(was_open, rows["incident_pane"], pane)
        closed = transition == CLOSE
        stays = (was_open | (transition == CREATE)) & ~closed
        rows["said_pane"] = np.where(transition != NOTHING, pane, rows["said_pane"])
        rows["incident_pane"] = np.where(stays, first_pane, 0)
        rows["incident_tier"] = np.where(stays, np.maximum(tier, np.where(was_open, rows["incident_tier"], 0)), 0)
        opened = (transition == CREATE) & (rows["first_alert_ms"] == 0)
        rows["first_alert_ms"] = np.where(opened, (pane + 1) * self.pane_ms, rows["first_alert_ms"])
        put(table.rows, slots, rows)
        return transition, first_pane

    def _may_teach(
        self, table: AccountTable, slots: Slots, pane: NDArray[np.int64], calm: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Known well enough and calm, not under suspicion, and not heard a moment ago."""
        taught = table.rows["taught_pane"][slots]
        rested = (taught == 0) | (pane - taught >= self._teach_panes)
        teaches = calm & rested & (table.rows["incident_pane"][slots] == 0)
        table.rows["taught_pane"][slots[teaches]] = pane[teaches]
        return np.asarray(teaches)

    def _harvest_nats(self, rows: Rows) -> Floats:
        """Refused and failed requests are no trials: what enforcement does must not speak for the account."""
        if not self._harvest_counts:
            return np.zeros(len(rows))
        nats = evidence.harvest_nats(rows["harvest"], rows["informal_harvest"], rows["answers"], self.rates)
        for since in restarts.windows(rows):
            lasting = np.flatnonzero(self.lasts(since["harvest_blocks"], since["harvest"]))
            if len(lasting):  # hardly ever
                some = {name: counts[lasting] for name, counts in since.items()}
                again = evidence.harvest_nats(some["harvest"], some["informal_harvest"], some["answers"], self.rates)
                nats[lasting] = np.maximum(nats[lasting], again)
        return self.feedback.nats(rows, nats)

    def _tiers(self, rows: Rows, nats: Floats) -> NDArray[np.int64]:
        """Tier by evidence that lasts; for the highest it lasts twice as long, or an analyst said so."""
        lasts = self.lasts(rows["harvest_blocks"], rows["harvest"])
        long = self.lasts(rows["harvest_blocks"] // 2, rows["harvest"] // 2)
        medium, high, critical = (nats >= bound for bound in self.thresholds)
        tier = np.where(lasts, medium.astype(np.int64) + high + (critical & long), 0)
        return np.asarray(np.where(self.feedback.confirmed(rows), len(TIERS), tier))

    def lasts(self, blocks: NDArray[np.int64], harvest: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Harvest events in enough blocks of time, or very many of them."""
        return np.asarray((blocks >= self.config.persistence_blocks) | (harvest >= self.config.persistence_events))

    def suspicion(self, rows: Rows) -> Floats:
        """What accounts are ranked by: incidents first, confirmed before open, ties broken by all signals together."""
        rows = self.feedback.since(rows)
        known = np.where(rows["events"] >= self.config.min_events, self._harvest_nats(rows), 0.0)
        ranked = evidence.suspicion(known, rows["blocks"], rows["harvest"]) + rows["joint"] / JOINT_SHARE
        reported = (rows["incident_pane"] != 0) & (known > 0)
        ranked = ranked + np.where(reported, evidence.MOST_NATS, 0.0)
        if self.feedback.reranker.ready:
            ranked = ranked + self.feedback.terms(rows, self._protected(rows, known))
        return np.asarray(ranked + np.where(self.feedback.confirmed(rows), CONFIRMED_NATS, 0.0))

    def p_values(self, rows: Rows) -> Floats:
        """p-values of the detectors' latest scores, one column a detector."""
        p_values = self.population.p_values(rows["scores"][:, : len(DETECTORS)].astype(np.float64), strata_of(rows))
        p_values[:, self.muted] = 1.0
        return p_values

    def supporting(self, row: Rows) -> list[str]:
        """The signals that speak most for an incident of this account: the harvest test and the strongest detectors."""
        nats = np.array(WEIGHTS) * np.minimum(-np.log(self.p_values(np.atleast_1d(row))[0]), evidence.CAP_NATS)
        nats[self.muted] = 0.0
        strongest = np.argsort(-nats, kind="stable")[:SUPPORTING].tolist()
        return [HARVEST, *(NAMES[column] for column in strongest if nats[column] > 0)]

    def _protected(self, rows: Rows, nats: Floats) -> NDArray[np.bool_]:
        """Accounts with two strong signals of different kinds: what verdicts taught must not silence them."""
        return np.asarray((nats >= self.threshold) & (self.p_values(rows)[:, OF_ANOTHER_KIND] <= STRONG_P).any(axis=1))

    def begin_epoch(self, table: AccountTable, epoch: int) -> None:
        """Freeze what everyone is measured against from the rows as they are."""
        rows = take(table.rows, table.used())
        self.rates = evidence.rates_of(rows["harvest"], rows["informal_harvest"], rows["answers"])
        self.calibration.renew(rows, epoch)
