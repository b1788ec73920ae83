"""A record is poison once it has failed twice, alone; everything else is only watched more closely."""

from __future__ import annotations

from pathlib import Path

from stillwatch_streams.crash_notes import CrashNotes, RecordFailure


def fail(first: int, last: int, partition: int = 0) -> RecordFailure:
    failure = RecordFailure("requests", partition, first, last)
    failure.__cause__ = ValueError("boom")
    return failure


def test_a_whole_fetch_then_one_record_of_it(tmp_path: Path) -> None:
    assert not CrashNotes(tmp_path).add(fail(10, 90)).is_poison
    note = CrashNotes(tmp_path).add(fail(42, 42))  # read back from disk, as after a restart
    assert note.is_poison
    assert "boom" in note.error


def test_a_fetch_of_one_record_needs_two_failures(tmp_path: Path) -> None:
    notes = CrashNotes(tmp_path)
    assert not notes.add(fail(7, 7)).is_poison
    assert notes.add(fail(7, 7)).is_poison


def test_failures_elsewhere_do_not_add_up(tmp_path: Path) -> None:
    notes = CrashNotes(tmp_path)
    notes.add(fail(10, 90))
    assert not notes.add(fail(91, 91)).is_poison
    assert not notes.add(fail(42, 42, partition=1)).is_poison


def test_what_a_checkpoint_has_passed_is_forgotten(tmp_path: Path) -> None:
    notes = CrashNotes(tmp_path)
    notes.add(fail(10, 90))
    notes.clear_below("requests", 0, 90)
    assert len(notes.of("requests", 0)) == 1
    notes.clear_below("requests", 0, 91)
    assert CrashNotes(tmp_path).of("requests", 0) == []


def test_a_torn_file_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "crash-notes.json").write_bytes(b'[{"topic": "req')
    assert CrashNotes(tmp_path).of("requests", 0) == []
