"""Scoring: cells are looked at in rounds, and of an account's cells in one segment the last one counts."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from stillwatch_models.accounts import AccountTable
from stillwatch_models.scoring import _note_scores, rounds


@given(cells=st.sets(st.tuples(st.integers(0, 3), st.integers(0, 6)), max_size=20))
def test_rounds_keep_each_accounts_order(cells: set[tuple[int, int]]) -> None:
    in_order = sorted(cells)
    slots = [slot for _, slot in in_order]
    parts = [part.tolist() for part in rounds(np.array(slots, np.intp), np.array([pane for pane, _ in in_order]))]
    assert sorted(i for part in parts for i in part) == list(range(len(slots)))
    for slot in set(slots):
        of_slot = [i for part in parts for i in part if slots[i] == slot]
        assert of_slot == sorted(of_slot)
    assert all(len({slots[i] for i in part}) == len(part) for part in parts)  # nobody twice in a round


def test_the_latest_scores_stay() -> None:
    table = AccountTable()
    slots = np.array(table.slots(["a", "b"]))
    _note_scores(table, slots[[0, 1, 0]], np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.75]]), np.array([1.0, 2.0, 3.0]))
    assert table.rows["scores"][slots, :3].tolist() == [[0.5, 0.75, 0.0], [np.float32(0.3), np.float32(0.4), 0.0]]
    assert table.rows["joint"][slots].tolist() == [3.0, 2.0]
