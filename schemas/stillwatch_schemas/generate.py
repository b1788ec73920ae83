"""`python -m stillwatch_schemas.generate [--check] [--out DIR]`: writes the published forms of the contracts.

With `--check` nothing is written; it exits 1 when a committed file differs from what the code says.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from stillwatch_schemas.asyncapi import asyncapi
from stillwatch_schemas.jsonschema import NAMES, json_schema
from stillwatch_schemas.tables import fields_page, topics_page

DEFAULT_OUT: Final = Path(__file__).parents[2] / "docs" / "contracts"


def documents() -> dict[str, str]:
    """Every generated file by its name, as text."""
    version = importlib.metadata.version("stillwatch-schemas")
    schemas = {f"{name}.schema.json": _pretty(json_schema(name)) for name in NAMES}
    pages = {"topics.md": topics_page(), "fields.md": fields_page()}
    return schemas | pages | {"asyncapi.json": _pretty(asyncapi(version))}


def drifted(folder: Path) -> list[str]:
    """Names of the files that are absent or differ from what the code says."""
    return [name for name, text in documents().items() if _read(folder / name) != text]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check; returns the exit code: 0 done or equal, 1 drifted."""
    parser = argparse.ArgumentParser(prog="python -m stillwatch_schemas.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file has drifted")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, metavar="DIR", help="default: %(default)s")
    options = parser.parse_args(arguments)
    if options.check:
        return _check(options.out)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (options.out / name).write_text(text, encoding="utf-8")
    return 0


def _check(folder: Path) -> int:
    stale = drifted(folder)
    for name in stale:
        sys.stderr.write(f"{folder / name} differs from the code: run `python -m stillwatch_schemas.generate`\n")
    return 1 if stale else 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _pretty(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
