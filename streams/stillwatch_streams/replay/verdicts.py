"""Analysts' verdicts for a replay of files: one JSON object a line, as in the verdicts topic."""

from __future__ import annotations

from pathlib import Path

from stillwatch_schemas.codec import decode_verdict
from stillwatch_schemas.errors import ConfigError, ContractError
from stillwatch_schemas.verdicts import Verdict


def read_verdicts(path: Path) -> list[Verdict]:
    """All verdicts of a file, in its order; ConfigError names file and line. Empty lines are skipped."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(f"--verdicts {path}: cannot be read: {error.strerror}") from error
    verdicts = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            verdicts.append(decode_verdict(line))
        except ContractError as error:
            raise ConfigError(f"--verdicts {path}, line {number}: {error}") from error
    return verdicts
