"""Property tests here run on machines of any speed: no deadline, and failures print what reproduces them."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("schemas", deadline=None, print_blob=True)
settings.load_profile("schemas")
