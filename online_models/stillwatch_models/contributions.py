"""Contributions to groups: what one source partition saw of each autonomous system, pane by pane."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.signals import Contribution

from stillwatch_models.accounts import AccountTable
from stillwatch_models.columns import Events

MAX_ACCOUNTS = 64
"""Accounts named in one contribution."""
MAX_EXAMPLES = 5


def contributions(
    events: Events, table: AccountTable, source: int, pane_ms: int, event_ids: Mapping[int, str]
) -> Iterator[Contribution]:
    """Contributions of the segment's panes, by pane and group. Notes each account's latest system in the table.

    Must run before the events are folded, while the table still knows where the accounts came from before.
    """
    known = events[events["asn"] != 0]
    if not len(known):
        return
    arrivals = _arrivals(known, table)
    order = np.lexsort((known["ts"], known["asn"], known["pane"]))
    known, arrivals = known[order], arrivals[order]
    change = np.flatnonzero(np.diff(known["pane"], prepend=-1) | np.diff(known["asn"], prepend=-1))
    for start, end in zip(change.tolist(), [*change[1:].tolist(), len(known)], strict=True):
        yield _contribution(
            known[start:end], int(arrivals[start:end].sum()), table, source=source, pane_ms=pane_ms, event_ids=event_ids
        )


def _arrivals(events: Events, table: AccountTable) -> NDArray[np.bool_]:
    """Marks one event of every account that was elsewhere before; `events` in any order."""
    order = np.lexsort((events["ts"], events["asn"], events["pane"], events["row"]))
    rows, asns = events["row"][order], events["asn"][order]
    first = np.diff(rows, prepend=-1) != 0
    before = np.concatenate(([0], asns[:-1]))
    before[first] = table.rows["asn"][rows[first]]
    marked = np.zeros(len(events), bool)
    marked[order] = asns != before
    last = np.append(first[1:], [True])[: len(rows)]
    table.rows["asn"][rows[last]] = asns[last]
    return marked


def _contribution(
    events: Events, arrivals: int, table: AccountTable, *, source: int, pane_ms: int, event_ids: Mapping[int, str]
) -> Contribution:
    pane = int(events["pane"][0])
    accounts = sorted({table.account(slot) for slot in set(events["row"].tolist())})
    return Contribution(
        group=f"asn:{int(events['asn'][0])}",
        source=source,
        pane=pane,
        pane_end_ms=(pane + 1) * pane_ms,
        events=len(events),
        output_tokens=int(events["output_tokens"].sum()),
        accounts=tuple(accounts[:MAX_ACCOUNTS]),
        accounts_total=len(accounts),
        new_accounts=arrivals,
        event_ids=tuple(event_ids[offset] for offset in events["offset"][:MAX_EXAMPLES].tolist()),
    )
