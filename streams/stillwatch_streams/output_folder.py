"""The output folder: every file appears whole or not at all, and replaces its predecessor in one step."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from stillwatch_schemas.errors import ConfigError

FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the system says when a disk, or somebody's share of it, is full."""


class OutputFolder:
    """Files are written under a hidden name and take their own when the `with` block ends well.

    ConfigError where the folder can't be written to, or its disk is full.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: dict[str, BinaryIO] = {}

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"--out {self.path}: cannot be made: {error.strerror}") from error
        return self

    def file(self, name: str) -> BinaryIO:
        """A new file to write; its name is taken on `commit`."""
        try:
            self._open[name] = self._partial(name).open("wb")
        except OSError as error:
            raise self._unwritable(error) from error
        return self._open[name]

    def write(self, name: str, content: bytes) -> None:
        """A whole file at once."""
        self.file(name).write(content)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        full = self._closed()
        if error is not None:  # which says more than what closing may run into afterwards
            full = error if isinstance(error, OSError) and error.errno in FULL else None
        if kind is None and full is None:
            for name in self._open:
                self._partial(name).replace(self.path / name)
            return
        for name in self._open:
            self._partial(name).unlink(missing_ok=True)
        if full is not None:
            raise self._unwritable(full) from full

    def _closed(self) -> OSError | None:
        """Close all files; returns what was in the way, for what was left to write may not fit."""
        failure = None
        for file in self._open.values():
            try:
                file.close()
            except OSError as error:
                failure = error
        return failure

    def _unwritable(self, error: OSError) -> ConfigError:
        return ConfigError(f"--out {self.path}: cannot be written: {error.strerror}")

    def _partial(self, name: str) -> Path:
        return self.path / f".{name}.{os.getpid()}.partial"
