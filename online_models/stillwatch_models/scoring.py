"""Scoring at pane close: features, detectors, population, evidence, and who may teach."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.findings import Activity

from stillwatch_models import evidence, features, restarts
from stillwatch_models.accounts import ROW, AccountTable, Rows
from stillwatch_models.calibration import Calibration, strata_of
from stillwatch_models.config import EngineConfig
from stillwatch_models.detectors import DETECTORS, Values
from stillwatch_models.evidence import Rates
from stillwatch_models.feedback import Feedback
from stillwatch_models.fold import Cells
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
        features.matrix(np.zeros(0, ROW))  # compiles what is compiled before there is anything to score

    def score(self, table: AccountTable, cells: Cells) -> Scored:
        """Score cells, add up their evidence in the table, and teach the forest. Cells come by pane and account key."""
        after = self.feedback.since(cells.after)
        enough = after["events"] >= self.config.min_events
        nats = np.where(enough, self._harvest_nats(after), 0.0)
        tier = self._tiers(after, nats)
        transition, first_pane, teaches = self._note_evidence(table, cells, after, nats, tier)
        raw = features.matrix(cells.after)
        values = Values(raw, self._forest_scores(features.scaled(raw), teaches), self.calibration.content_of(after))
        scores = np.column_stack([detector.score(values) for detector in DETECTORS])
        p_values = self.population.p_values(scores, strata_of(after))
        p_values[:, self.muted] = 1.0
        joint = np.where(enough, evidence.joint_score(p_values, self.feedback.weights(NAMES, WEIGHTS)), 0.0)
        _note_scores(table, cells.slot, scores, joint)
        return Scored(
            values=values,
            scores=scores,
            p_values=p_values,
            nats=nats,
            tier=tier,
            transition=transition,
            first_pane=first_pane,
        )

    def _note_evidence(
        self, table: AccountTable, cells: Cells, after: Rows, nats: Floats, tier: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Keep each account's evidence, move its incident; returns that, and which cells teach the forest."""
        slots, pane = cells.slot, cells.pane
        suspicion = evidence.suspicion(nats, after["blocks"], after["harvest"])
        calm = (after["events"] >= self.config.min_events) & (nats < self.threshold / 2)
        transition, first_pane = np.zeros(len(slots), np.int64), np.zeros(len(slots), np.int64)
        teaches = np.zeros(len(slots), bool)
        for some in rounds(slots, pane):
            rows, own = table.rows, slots[some]
            rows["evidence"][own], rows["suspicion"][own] = nats[some], suspicion[some]
            rows["peak"][own] = np.maximum(rows["peak"][own], suspicion[some])
            transition[some], first_pane[some] = self._move_incidents(table, own, pane[some], nats[some], tier[some])
            teaches[some] = self._may_teach(table, own, pane[some], calm[some])
        return transition, first_pane, teaches

    def _forest_scores(self, scaled: Floats, teaches: NDArray[np.bool_]) -> Floats:
        """Score each cell and let it teach before the next: scores change only where the forest's window is full."""
        scores, taught = np.zeros(len(scaled)), np.flatnonzero(teaches)
        start = done = 0
        while start < len(scaled):
            full = done + self.forest.room()
            end = int(taught[full - 1]) + 1 if full <= len(taught) else len(scaled)
            scores[start:end] = self.forest.score(scaled[start:end])
            self.forest.learn(scaled[taught[done:full]])
            start, done = end, full
        return scores

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
        used = table.used()
        harvest, informal, answers = (table.rows[name][used] for name in ("harvest", "informal_harvest", "answers"))
        self.rates = evidence.rates_of(harvest, informal, answers)
        known = used[table.rows["events"][used] >= self.config.min_events]
        self.calibration.renew(table.gather(table.sample(known)), epoch)


def rounds(slots: Slots, pane: NDArray[np.int64]) -> Iterator[Slots]:
    """Cells that can be looked at together: the k-th cell of every account, for k = 0, 1, ..."""
    if not len(slots) or pane[0] == pane[-1]:  # cells come by pane, so no account has two: the rule in dense traffic
        yield np.arange(len(slots))
        return
    order = np.argsort(slots, kind="stable")
    starts = np.flatnonzero(np.diff(slots[order], prepend=-1))
    rank = np.arange(len(slots)) - np.repeat(starts, np.diff(np.append(starts, len(slots))))
    by_rank = order[np.argsort(rank, kind="stable")]
    yield from np.split(by_rank, np.cumsum(np.bincount(rank))[:-1])


def _note_scores(table: AccountTable, slots: Slots, scores: Floats, joint: Floats) -> None:
    """Keep each account's latest scores, of which the population is made; of several cells the last one stays."""
    table.rows["scores"][slots, : scores.shape[1]] = scores
    table.rows["joint"][slots] = joint
