"""Write a scenario's stream as files that `stillwatch replay` reads: events, labels, event labels, the scenario itself.

Every file is complete or absent (`OutputFolder`). A stream that is stopped early is whole as well: it holds the events
so far and their labels.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias, cast

import msgspec
import zstandard

from stillwatch_streams.output_folder import OutputFolder
from stillwatch_streams.simulator.accounts import Label
from stillwatch_streams.simulator.generate import generate, labels
from stillwatch_streams.simulator.scenario import Scenario, to_toml

Format: TypeAlias = Literal["jsonl.zst", "jsonl", "jsonl.gz"]
FORMATS: tuple[Format, ...] = ("jsonl.zst", "jsonl", "jsonl.gz")

Watch: TypeAlias = Callable[[int, int], bool]
"""Asked every 500 events with (events so far, their latest ts); False ends the stream there."""

_WATCH_EVERY = 500


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    scenario: str
    seed: int
    start_ms: int
    days: float
    events: int = 0
    attack_events: int = 0
    accounts: int = 0
    distilling_accounts: int = 0
    campaigns: int = 0
    complete: bool = True
    """False when the stream was stopped early: the files are whole, the scenario is not."""
    files: dict[str, str]


def write(
    scenario: Scenario,
    seed: int,
    out: Path,
    *,
    start_ms: int,
    form: Format = "jsonl.zst",
    watch: Watch = lambda _events, _ts: True,
) -> Summary:
    """Generate the scenario into the directory `out` (made if absent) and say what was written."""
    names = {
        "events": f"events.{form}",
        "labels": "labels.csv",
        "event_labels": "event_labels.csv.gz",
        "scenario": "scenario.toml",
    }
    with OutputFolder(out) as folder:
        files = folder.file(names["events"]), folder.file(names["event_labels"])
        tally = _events(scenario, seed, start_ms, files, form=form, watch=watch)
        seen = [label for label in labels(scenario, seed) if label.account_id in tally.accounts]
        folder.write(names["labels"], _labels(seen))
        folder.write(names["scenario"], to_toml(scenario).encode())
    return Summary(
        scenario=scenario.name,
        seed=seed,
        start_ms=start_ms,
        days=scenario.days,
        events=tally.events,
        attack_events=tally.attack_events,
        accounts=len(seen),
        distilling_accounts=sum(label.label == "distill" for label in seen),
        campaigns=len({label.campaign_id for label in seen} - {""}),
        complete=tally.complete,
        files={what: str(out / name) for what, name in names.items()},
    )


class _Tally:
    """Counts kept while events are written."""

    def __init__(self) -> None:
        self.events = 0
        self.attack_events = 0
        self.accounts: set[str] = set()
        self.complete = True


def _events(
    scenario: Scenario,
    seed: int,
    start_ms: int,
    files: tuple[BinaryIO, BinaryIO],
    *,
    form: Format,
    watch: Watch,
) -> _Tally:
    """Write the events and their labels side by side."""
    tally = _Tally()
    encoder = msgspec.json.Encoder()
    buffer = bytearray()
    with ExitStack() as stack:
        sink = stack.enter_context(_packing(files[0], form))
        unpacked = stack.enter_context(_gzip(files[1]))
        truth = csv.writer(stack.enter_context(_text(unpacked)), lineterminator="\n")
        truth.writerow(("event_id", "is_attack", "campaign_id"))
        for event, is_attack, campaign_id in generate(scenario, seed, start_ms):
            encoder.encode_into(event, buffer)
            buffer += b"\n"
            sink.write(buffer)
            truth.writerow((event.event_id, int(is_attack), campaign_id or ""))
            tally.events += 1
            tally.attack_events += is_attack
            tally.accounts.add(event.account_id)
            if tally.events % _WATCH_EVERY == 0 and not watch(tally.events, event.ts):
                tally.complete = False
                break
    return tally


def _packing(raw: BinaryIO, form: Format) -> AbstractContextManager[BinaryIO]:
    """A file that packs what is written to it; closing it leaves `raw` open."""
    match form:
        case "jsonl":
            return nullcontext(raw)
        case "jsonl.gz":
            return _gzip(raw)
        case "jsonl.zst":
            return cast("BinaryIO", zstandard.ZstdCompressor(level=6).stream_writer(raw, closefd=False))


def _gzip(raw: BinaryIO) -> BinaryIO:
    """No file name and no time in the header, so that equal content gives equal bytes."""
    return cast("BinaryIO", gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0))


def _text(raw: BinaryIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(raw, encoding="utf-8", newline="")


def _labels(rows: list[Label]) -> bytes:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(Label._fields)
    table.writerows(rows)
    return text.getvalue().encode()
