"""Account rows from events, for tests of what is computed from rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from stillwatch_models import columns
from stillwatch_models.accounts import AccountTable, Rows
from stillwatch_models.cell import Horizons
from stillwatch_models.columns import Events
from stillwatch_models.fold import Cells, fold, in_order
from stillwatch_models.model_ages import ModelAges
from stillwatch_models.texts import TextMemory
from stillwatch_schemas.events import RequestEvent

PANE_MS = 10_000
TEXTS = 16_384
FRESH_PANES = 17_280
"""Two days."""
HORIZONS = Horizons(fast=360.0, slow=60_480.0, block=360, restart=17_280)
"""One hour, seven days, one hour, two days, in panes of 10 s."""


def waiting(table: AccountTable, items: Sequence[RequestEvent]) -> Events:
    """Columns of events in their own panes, in the order in which they are folded."""
    events = columns.build(items, list(range(len(items))))
    events["pane"] = events["ts"] // PANE_MS
    events["row"] = table.slots([item.account_id for item in items])
    return in_order(events, table.rows["key"])


def fold_into(
    table: AccountTable,
    texts: TextMemory,
    items: Sequence[RequestEvent],
    horizons: Horizons = HORIZONS,
    models: ModelAges | None = None,
) -> Cells:
    """Fold events whose panes are all closed."""
    return fold(table, texts, waiting(table, items), horizons, models)


def folded(items: Sequence[RequestEvent], horizons: Horizons = HORIZONS) -> AccountTable:
    """A table that has seen these events and nothing else."""
    table = AccountTable()
    fold_into(table, TextMemory(TEXTS), items, horizons, ModelAges(FRESH_PANES))
    return table


def rows_of(items: Sequence[RequestEvent]) -> Rows:
    """The rows of all accounts, by id."""
    table = folded(items)
    return table.gather(np.array(sorted(table.used(), key=lambda slot: table.account(int(slot)))))
