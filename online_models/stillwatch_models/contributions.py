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
    """Contributions of the segment's panes, by pane and group.

    Must run before the events are folded, while the table still knows where the accounts came from before.
    """
    known = events[events["asn"] != 0]
    if not len(known):
        return
    arrivals = _arrivals(known, table)
    order = np.lexsort((known["ts"], known["asn"], known["pane"]))
    known, arrivals = known[order], arrivals[order]
    starts = np.flatnonzero(np.diff(known["pane"], prepend=-1) | np.diff(known["asn"], prepend=-1))
    ends = [*starts[1:].tolist(), len(known)]
    panes, asns = known["pane"][starts].tolist(), known["asn"][starts].tolist()
    tokens = np.add.reduceat(known["output_tokens"].astype(np.int64), starts).tolist()
    came = np.add.reduceat(arrivals.astype(np.int64), starts).tolist()
    slots, offsets = known["row"].tolist(), known["offset"].tolist()
    for at, (start, end) in enumerate(zip(starts.tolist(), ends, strict=True)):
        accounts = sorted({table.account(slot) for slot in slots[start:end]})
        yield Contribution(
            group=f"asn:{asns[at]}",
            source=source,
            pane=panes[at],
            pane_end_ms=(panes[at] + 1) * pane_ms,
            events=end - start,
            output_tokens=tokens[at],
            accounts=tuple(accounts[:MAX_ACCOUNTS]),
            accounts_total=len(accounts),
            new_accounts=came[at],
            event_ids=tuple(event_ids[offset] for offset in offsets[start : min(end, start + MAX_EXAMPLES)]),
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
    return marked
