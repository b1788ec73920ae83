"""The kill switch: a file, looked at once a second."""

from __future__ import annotations

from pathlib import Path

from stillwatch_serving.kill_switch import KillSwitch


def test_it_follows_the_file_within_a_second(tmp_path: Path) -> None:
    file = tmp_path / "stop"
    switch = KillSwitch(file)
    assert not switch(0)
    file.touch()
    assert not switch(999), "looked at once a second only"
    assert switch(1_000)
    file.unlink()
    assert not switch(2_000)


def test_it_can_be_on_for_good() -> None:
    assert KillSwitch(always=True)(0)
    assert not KillSwitch()(0)


def test_a_file_that_cannot_be_looked_at_counts_as_pulled(tmp_path: Path) -> None:
    unreadable = tmp_path / ("x" * 300)
    assert KillSwitch(unreadable)(0)
