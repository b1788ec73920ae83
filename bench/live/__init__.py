"""Parts of `live_worker.py`. They use the tests' Kafka node, so `tests` is put on the path."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))
