"""Files appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from stillwatch_schemas.errors import ConfigError
from stillwatch_streams.output_folder import OutputFolder


def test_files_take_their_names_at_the_end_and_replace_older_ones(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    out.mkdir(parents=True)
    (out / "a.txt").write_text("old")
    with OutputFolder(out) as folder:
        folder.write("a.txt", b"new")
        assert (out / "a.txt").read_text() == "old"
    assert (out / "a.txt").read_text() == "new"
    assert [path.name for path in out.iterdir()] == ["a.txt"]


def test_a_failure_leaves_the_old_files_and_no_rubbish(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(ZeroDivisionError):
        _fail_halfway(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "old"}


def _fail_halfway(path: Path) -> None:
    with OutputFolder(path) as folder:
        folder.write("a.txt", b"half")
        folder.file("b.txt").write(b"%d" % (1 // 0))


def test_a_file_in_the_way_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(ConfigError, match="--out"), OutputFolder(tmp_path / "out"):
        pytest.fail("there is no such folder")


def test_a_full_disk_is_told_and_leaves_the_old_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    (tmp_path / f".a.txt.{os.getpid()}.partial").symlink_to("/dev/full")
    with pytest.raises(ConfigError, match="cannot be written: No space left"), OutputFolder(tmp_path) as folder:
        folder.write("a.txt", b"new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "old"}
