"""Profiles: what the account agent tells about accounts that are worth comparing with each other.

A profile is sent at most once an epoch, on the account's first pane there, and only of accounts that keep asking
one-shot or harvest questions in several hours: a few hundred of thousands. At the end of an epoch the partition says
what its ordinary one-shot traffic is about, which is what profiles are compared against.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.signals import SAMPLED_REQUESTS, Content, Profile, Samples

from stillwatch_models import distinct, features
from stillwatch_models.accounts import AccountTable, Rows
from stillwatch_models.cell import FIXED
from stillwatch_models.fold import Cells
from stillwatch_models.open_panes import EventIds
from stillwatch_models.records import take

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

LEAST_BLOCKS = 3
LEAST_ONE_SHOTS = 10
LEAST_ONE_SHOT_SHARE = 0.8
LEAST_HARVEST = 5
LEAST_WRAPPED = 8
REFERENCE_EVENTS = 3
"""One-shot requests from which on an account has a vote in what ordinary traffic is about."""
TEXTS_SAMPLED = 2
"""One text in so many is in the samples."""
SHINGLES_SAMPLED = 4
"""One value of a MinHash in so many is in the samples."""
EXAMPLES = 2
"""Example event ids in a profile."""


def candidates(rows: Rows) -> Mask:
    """Accounts that are worth a profile."""
    often = rows["blocks"] >= LEAST_BLOCKS
    one_shots = (rows["one_shots"] >= LEAST_ONE_SHOTS) & (one_shot_share(rows) >= LEAST_ONE_SHOT_SHARE)
    return np.asarray(often & (one_shots | (rows["harvest"] >= LEAST_HARVEST) | (rows["wrapped"] >= LEAST_WRAPPED)))


def one_shot_share(rows: Rows) -> Floats:
    """Of the account's requests, those that open a conversation."""
    return np.asarray(features.total(rows, "one_shot") / np.maximum(features.total(rows, "events"), 1.0))


def profiles(
    table: AccountTable, cells: Cells, nats: Floats, *, epoch: int, source: int, pane_ms: int, ids: EventIds
) -> Iterator[Profile]:
    """Profiles of the candidates among the cells that have not had theirs in this epoch, which is noted."""
    due = np.flatnonzero(candidates(cells.after) & (cells.after["profiled"] != epoch))
    if not len(due):
        return
    first = due[np.unique(cells.slot[due], return_index=True)[1]]
    table.rows["profiled"][cells.slot[first]] = epoch
    for cell in np.sort(first).tolist():
        offsets = cells.events["offset"][cells.start[cell] : cells.start[cell] + min(cells.count[cell], EXAMPLES)]
        yield _profile(
            cells.after[cell : cell + 1],
            account=table.account(int(cells.slot[cell])),
            nats=float(nats[cell]),
            source=source,
            pane_end_ms=(int(cells.pane[cell]) + 1) * pane_ms,
            event_ids=tuple(ids.of(offsets)),
        )


def samples(table: AccountTable, cells: Cells, *, source: int, pane_ms: int) -> Iterator[Samples]:
    """Samples of the candidates' requests, in as many messages as it takes."""
    chosen = np.repeat(candidates(cells.after), cells.count) & (cells.events["has_text"] != 0)
    chosen &= cells.events["one_shot"] != 0
    events = take(cells.events, np.flatnonzero(chosen))
    texts = np.where(_in_sample(events["text_hash"], TEXTS_SAMPLED), events["text_hash"], 0)
    places = np.arange(events["minhash"].shape[1], dtype=np.int64) << 32
    shingles = events["minhash"].astype(np.int64) | places
    sampled = _in_sample(shingles, SHINGLES_SAMPLED)
    found = np.flatnonzero((texts != 0) | sampled.any(axis=1))
    pane = int(cells.pane[-1])
    for start in range(0, len(found), SAMPLED_REQUESTS):
        some = found[start : start + SAMPLED_REQUESTS]
        yield Samples(
            source=source,
            pane=pane,
            pane_end_ms=(pane + 1) * pane_ms,
            accounts=tuple(table.account(slot) for slot in events["row"][some].tolist()),
            texts=tuple(texts[some].tolist()),
            shingles=tuple(tuple(shingles[at][sampled[at]].tolist()) for at in some.tolist()),
        )


def _in_sample(hashes: NDArray[np.int64], one_of: int) -> Mask:
    return np.asarray((hashes != 0) & (distinct.mix(hashes) % np.uint64(one_of) == 0))


def _profile(
    rows: Rows, *, account: str, nats: float, source: int, pane_end_ms: int, event_ids: tuple[str, ...]
) -> Profile:
    row = rows[0]
    events = int(row["events"])
    return Profile(
        account=account,
        source=source,
        pane=int(row["pane"]),
        pane_end_ms=pane_end_ms,
        first_seen_ms=int(row["first_ms"]),
        events=events,
        blocks=int(row["blocks"]),
        answers=int(row["answers"]),
        harvest=int(row["harvest"]),
        wrapped=int(row["wrapped"]),
        nats=nats,
        one_shot_share=min(1.0, float(one_shot_share(rows)[0])),
        repeat_share=min(1.0, int(row["repeats"]) / events),
        shared_share=min(1.0, int(row["shared"]) / events),
        opening_share=_top_share(row["openings"]),
        template_share=max(_top_share(row["leads"]), _top_share(row["tails"])),
        answer_tokens=float(np.exp2(features.total(rows, "log_output")[0] / features.total(rows, "events")[0] / FIXED)),
        one_shot=_content(row["one_shot_content"]),
        wrapped_one_shot=_content(row["wrapped_content"]),
        harvested=_content(row["harvest_content"]),
        org=int(row["org"]),
        payment=int(row["payment"]),
        client=int(row["client"]),
        net=int(row["net"]),
        asn=int(row["asn"]),
        system_template=int(row["system_template"]),
        event_ids=event_ids,
    )


def _top_share(counts: NDArray[np.uint16]) -> float:
    return float(counts.max() / max(1, int(counts.sum(dtype=np.int64))))


def _content(content: np.void) -> Content:
    return Content(count=int(content["count"]), embedding=content["sum"].astype("<i2").tobytes())


def reference(table: AccountTable) -> tuple[int, Floats]:
    """How many accounts have a vote, and the sum over them of the mean embedding of their one-shot requests."""
    voting = table.sample(np.flatnonzero(table.rows["one_shots"] >= REFERENCE_EVENTS))
    content = table.gather(voting)["one_shot_content"]
    means = content["sum"] / content["count"][:, None].astype(np.float64)
    return len(content), means.sum(axis=0)
