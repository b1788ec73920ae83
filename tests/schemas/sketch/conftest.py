"""One sketcher for all tests of the sketch: building it costs more than using it."""

from __future__ import annotations

import pytest
from stillwatch_schemas.sketch import Sketcher


@pytest.fixture(scope="session")
def sketcher() -> Sketcher:
    return Sketcher(b"a key for tests, nothing more")
