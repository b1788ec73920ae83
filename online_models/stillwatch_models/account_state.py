"""What an account engine keeps between panes, put down as rows and picked up again.

Everything here changes at a pane's end only. A checkpoint has the rows that were touched since the last one; the small
models are written when they changed. What waits in open panes is not here: it is read again after a restart.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from stillwatch_schemas.errors import StateError

from stillwatch_models.accounts import STATE_VERSION, AccountTable
from stillwatch_models.ceiling import CeilingRule
from stillwatch_models.config import EngineConfig
from stillwatch_models.contributions import Contributor
from stillwatch_models.evidence import Rates
from stillwatch_models.model_ages import ModelAges
from stillwatch_models.panes import UNSEEN, PaneClock
from stillwatch_models.scoring import Scorer
from stillwatch_models.texts import TextMemory

FRESH_MODEL_SECONDS = 48 * 3_600.0
"""How long a model counts as just released."""

ACCOUNT_ROW, TEXT_ROW = b"a:", b"t:"
CLOCK_ROW, FOREST_ROW = b"m:clock", b"m:forest"
CEILING_ROW, MODELS_ROW = b"m:ceiling", b"m:models"


class Clock(msgspec.Struct):
    """The small part of the state: where reading resumes, and what was counted."""

    version: int
    config_hash: str
    next_offset: int
    max_ts: int
    closed_before: int
    epoch: int
    ended_epoch: int
    known_accounts: int
    rates: Rates
    texts_written: int
    counters: dict[str, int]
    measures: dict[str, float] = {}
    """What the numbers of panes and the like are counted in; see `config.MEASURES`."""


class Resume(msgspec.Struct, frozen=True):
    """Where reading goes on after a restart."""

    offset: int
    """Of the first event that still waits."""
    max_ts: int
    """Greatest event time before it."""


class AccountState:
    """The state of one source partition's accounts."""

    def __init__(self, config: EngineConfig, partition: int) -> None:
        self._config = config
        self._partition = partition
        self.config_hash = config.hash()
        pane_ms = round(config.pane_seconds * 1000)
        self.clock = PaneClock(pane_ms, round(config.lateness_seconds * 1000))
        self.table = AccountTable()
        self.texts = TextMemory(config.text_memory)
        self.models = ModelAges(round(FRESH_MODEL_SECONDS / config.pane_seconds))
        self.scorer = Scorer(config)
        self.ceiling = CeilingRule(config, self.config_hash, partition)
        self.contributor = Contributor(
            window_panes=max(1, round(config.group_window_seconds / config.pane_seconds)),
            most_events=config.group_span_events,
            source=partition,
            pane_ms=pane_ms,
        )
        self.counters = {"events": 0, "late": 0, "repeated": 0, "evicted_idle": 0, "evicted_flood": 0, "panes": 0}
        self.epoch = self.ended_epoch = UNSEEN
        self.known_accounts = 0
        """When the epoch began: the same for every message of the epoch."""
        self._written: dict[bytes, bytes] = {}
        """Model rows as they were last written: most do not change between two checkpoints."""

    def take_dirty(self, resume: Resume) -> dict[bytes, bytes | None]:
        """Rows that changed since the last call; None deletes."""
        rows = {_account_key(account): row for account, row in self.table.take_dirty()}
        rows.update((_text_key(page), data) for page, data in self.texts.take_dirty())
        rows.update(self.contributor.take_dirty())
        rows.update(self.scorer.feedback.take_dirty())
        models = self._model_rows(resume)
        rows.update((key, row) for key, row in models.items() if self._written.get(key) != row)
        self._written = models
        return rows

    def dump(self, resume: Resume) -> dict[bytes, bytes]:
        """Every row."""
        return {
            **{_account_key(account): row for account, row in self.table.dump()},
            **{_text_key(page): data for page, data in self.texts.dump()},
            **dict(self.scorer.feedback.dump()),
            **dict(self.contributor.dump()),
            **self._model_rows(resume),
        }

    def load(self, rows: Mapping[bytes, bytes]) -> int:
        """Take over what `dump` gave, or `take_dirty` bit by bit; returns the offset to read from."""
        clock = msgspec.json.decode(rows[CLOCK_ROW], type=Clock)
        self._refuse_what_does_not_fit(clock)
        self.clock.max_ts, self.clock.closed_before = clock.max_ts, clock.closed_before
        self.counters.update(clock.counters)
        self.epoch, self.ended_epoch, self.known_accounts = clock.epoch, clock.ended_epoch, clock.known_accounts
        self.scorer.rates = clock.rates
        self.scorer.forest.load(rows[FOREST_ROW])
        self.scorer.calibration.load(rows)
        self.scorer.feedback.load(rows)
        self.models.load(rows[MODELS_ROW])
        self.ceiling.load(rows[CEILING_ROW])
        self.contributor.load(rows)
        accounts = [key for key in rows if key.startswith(ACCOUNT_ROW)]
        names = [key[len(ACCOUNT_ROW) :].decode("utf-8", "surrogatepass") for key in accounts]
        self.table.load(names, [rows[key] for key in accounts])
        pages = ((int(key[len(TEXT_ROW) :]), row) for key, row in rows.items() if key.startswith(TEXT_ROW))
        self.texts.load(pages, clock.texts_written, self.table.slots_of_keys)
        return clock.next_offset

    def _refuse_what_does_not_fit(self, clock: Clock) -> None:
        if clock.version != STATE_VERSION:
            raise StateError(
                f"the checkpoint of partition {self._partition} has state version {clock.version}, this build reads "
                f"{STATE_VERSION}: run the version that wrote it, or start afresh with --reset-state"
            )
        self._config.refuse_other_measures(clock.measures, self._partition)

    def _model_rows(self, resume: Resume) -> dict[bytes, bytes]:
        clock = Clock(
            version=STATE_VERSION,
            config_hash=self.config_hash,
            next_offset=resume.offset,
            max_ts=resume.max_ts,
            closed_before=self.clock.closed_before,
            epoch=self.epoch,
            ended_epoch=self.ended_epoch,
            known_accounts=self.known_accounts,
            rates=self.scorer.rates,
            texts_written=self.texts.written,
            counters=self.counters,
            measures=self._config.measures(),
        )
        return {
            CLOCK_ROW: msgspec.json.encode(clock),
            FOREST_ROW: self.scorer.forest.dump(),
            MODELS_ROW: self.models.dump(),
            **self.scorer.calibration.dump(),
            CEILING_ROW: self.ceiling.dump(self.clock.closed_before),
            **self.contributor.model_rows(),
        }


def _account_key(account: str) -> bytes:
    return ACCOUNT_ROW + account.encode("utf-8", "surrogatepass")


def _text_key(page: int) -> bytes:
    return TEXT_ROW + b"%06d" % page
