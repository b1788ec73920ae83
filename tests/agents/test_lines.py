"""Rows as lines: cells stand under each other, long ones are whole."""

from __future__ import annotations

from stillwatch_agents.commands.lines import aligned


def test_cells_stand_under_each_other_and_nothing_is_cut() -> None:
    long = "a" * 300
    assert list(aligned([("topic", "value"), ("x", long), ("longer", "b")])) == [
        "topic   value",
        f"x       {long}",
        "longer  b",
    ]
