"""The text sketch: what detection needs of a prompt, without the prompt.

The emitter (privacy mode: the text never leaves the gateway) and the account agent (text present) call this one
function, so the same text under the same key gives the same `Sketch` on both sides, in every process.
Needs the extra `stillwatch-schemas[sketch]` (numpy).

    sketcher = Sketcher(key)                       # at least 16 secret bytes, the same for the whole deployment
    sketcher.sketch("Name three rivers.", None)    # -> Sketch
    with_sketches(events, sketcher)                # -> the events with sketches and without text

`docs/sketch.md` says what each field is, what the sketch gives away, and what evades it.
"""

from __future__ import annotations

from stillwatch_schemas.events import Sketch
from stillwatch_schemas.sketch.sketcher import MIN_KEY_BYTES, SKETCH_VERSION, Sketcher, with_sketch, with_sketches

__all__ = ["MIN_KEY_BYTES", "SKETCH_VERSION", "Sketch", "Sketcher", "with_sketch", "with_sketches"]
