"""The operator's brake: while it is on, directives are counted and nothing is enforced."""

from __future__ import annotations

from pathlib import Path

RECHECK_MS = 1_000


class KillSwitch:
    """On while a file exists, or always. Calling it costs a comparison; the file is looked at once a second."""

    def __init__(self, path: str | Path | None = None, *, always: bool = False) -> None:
        self._path = None if path is None else Path(path)
        self._always = always
        self._engaged = always
        self._checked_ms: int | None = None

    def __call__(self, now_ms: int) -> bool:
        """Whether the brake is on at this time (ms)."""
        if self._path is None or self._always:
            return self._always
        if self._checked_ms is None or abs(now_ms - self._checked_ms) >= RECHECK_MS:
            self._checked_ms = now_ms
            self._engaged = self._exists(self._path)
        return self._engaged

    @staticmethod
    def _exists(path: Path) -> bool:
        try:
            return path.exists()
        except OSError:
            # A brake that cannot be read (permissions, a mount that went away) counts as pulled: enforce nothing.
            return True
