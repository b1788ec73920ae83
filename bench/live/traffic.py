"""Events for measurements: drawn at random but seeded, so that two runs measure the same work."""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec
from stillwatch_schemas.codec import encode_request
from stillwatch_schemas.events import RequestEvent, Sketch
from stillwatch_schemas.sketch import Sketcher
from stillwatch_streams.simulator import generate, load_scenario

START_MS = 1_767_225_600_000
HOUR_MS = 3_600_000
IMPERSONAL, PERSONAL = 1, 6
"""`Sketch.style` of a task handed over, and of somebody who says I and please."""
BATCH = 256


class Dense(msgspec.Struct, frozen=True, kw_only=True):
    """Much traffic in little event time."""

    events: int
    accounts: int
    seconds: float
    text: bool
    """Send the prompt; otherwise the emitter's sketch."""
    seed: int = 1


def dense(wanted: Dense) -> Iterator[RequestEvent]:
    """Events of accounts drawn evenly, in time order; prompts are the simulator's, each made different by a number."""
    rng = random.Random(wanted.seed)  # noqa: S311 - seeded, on purpose
    pool = [one.event for one in generate(load_scenario("tiny"), 1, START_MS) if one.event.prompt]
    sketcher = Sketcher(b"a key for benchmarks only")
    for first in range(0, wanted.events, BATCH):
        chosen = [rng.choice(pool) for _ in range(min(BATCH, wanted.events - first))]
        texts = [(f"{event.prompt} {first + at}", event.system_prompt) for at, event in enumerate(chosen)]
        sketches = [None] * len(chosen) if wanted.text else sketcher.sketch_many(texts)
        for at, (event, (prompt, system), sketch) in enumerate(zip(chosen, texts, sketches, strict=True)):
            yield msgspec.structs.replace(
                event,
                event_id=f"e{first + at}",
                account_id=f"acct-{rng.randrange(wanted.accounts)}",
                conversation_id=f"c{first + at}",
                ts=START_MS + int((first + at) * wanted.seconds * 1000 / wanted.events),
                prompt=prompt if wanted.text else None,
                system_prompt=system if wanted.text else None,
                sketch=sketch,
            )


def encoded(events: Iterator[RequestEvent]) -> list[tuple[bytes, bytes, int]]:
    """Key, value and time of each event's record."""
    return [(event.account_id.encode(), encode_request(event), event.ts) for event in events]


def quick_event(rng: random.Random, event_id: str, account: str, ts: int, *, style: int = PERSONAL) -> RequestEvent:
    """An event with a random sketch: cheap to make, and for the engine as much work as any other."""
    return RequestEvent(
        event_id=event_id,
        ts=ts,
        account_id=account,
        model="aurora-2",
        conversation_id=event_id,
        turn=0,
        client_asn=64500 + rng.randrange(50),
        sketch=Sketch(
            chars=rng.randrange(20, 2_000),
            words=rng.randrange(4, 300),
            text_hash=rng.randrange(1, 2**52),
            template=rng.randrange(1, 2**52),
            lead=rng.randrange(1, 2**52),
            tail=rng.randrange(1, 2**52),
            style=style,
            minhash=tuple(rng.randrange(2**32) for _ in range(16)),
            cells=(rng.randrange(4096), rng.randrange(4096)),
            embedding=rng.randbytes(32),
        ),
        max_tokens=512,
        input_tokens=rng.randrange(1_000),
        output_tokens=rng.randrange(500),
        status=200,
        finish_reason="stop",
        latency_ms=900.0,
    )
