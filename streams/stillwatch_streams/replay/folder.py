"""The output folder: every file appears whole or not at all, and replaces its predecessor in one step."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from stillwatch_schemas.errors import ConfigError


class OutputFolder:
    """Files are written under a hidden name and take their own when the `with` block ends well."""

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
            raise ConfigError(f"--out {self.path}: cannot be written: {error.strerror}") from error
        return self._open[name]

    def write(self, name: str, content: bytes) -> None:
        """A whole file at once."""
        self.file(name).write(content)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._open.values():
            file.close()
        for name in self._open:
            if kind is None:
                self._partial(name).replace(self.path / name)
            else:
                self._partial(name).unlink(missing_ok=True)

    def _partial(self, name: str) -> Path:
        return self.path / f".{name}.{os.getpid()}.partial"
