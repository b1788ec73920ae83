"""Write a scenario's stream as files that `stillwatch replay` reads: events, labels, event labels, the scenario itself.

Every file is complete or absent: it is written beside its name and moved there at the end. A stream that is stopped
early is whole as well: it holds the events so far and their labels.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias, cast

import msgspec
import zstandard
from stillwatch_schemas.errors import SourceError

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
    """Generate the scenario into the directory `out` (made if absent) and say what was written.

    Raises SourceError when the directory can't be written to.
    """
    names = {
        "events": f"events.{form}",
        "labels": "labels.csv",
        "event_labels": "event_labels.csv.gz",
        "scenario": "scenario.toml",
    }
    partial = {what: out / f".{name}.part" for what, name in names.items()}
    try:
        out.mkdir(parents=True, exist_ok=True)
        tally = _events(scenario, seed, start_ms, (partial["events"], partial["event_labels"]), form=form, watch=watch)
        seen = [label for label in labels(scenario, seed) if label.account_id in tally.accounts]
        _labels(seen, partial["labels"])
        partial["scenario"].write_text(to_toml(scenario), encoding="utf-8")
        for what, name in names.items():
            partial[what].replace(out / name)
    except OSError as error:
        raise SourceError(f"cannot write to {out}: {error.strerror}; check space and permissions") from error
    finally:
        for path in partial.values():
            with suppress(OSError):
                path.unlink()
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
    paths: tuple[Path, Path],
    *,
    form: Format,
    watch: Watch,
) -> _Tally:
    """Write the events and their labels side by side."""
    tally = _Tally()
    encoder = msgspec.json.Encoder()
    buffer = bytearray()
    with ExitStack() as stack:
        sink = stack.enter_context(_opened(paths[0], form, stack))
        truth = csv.writer(stack.enter_context(_text(paths[1], stack)), lineterminator="\n")
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


def _opened(path: Path, form: Format, stack: ExitStack) -> BinaryIO:
    raw = stack.enter_context(path.open("wb"))
    match form:
        case "jsonl":
            return raw
        case "jsonl.gz":
            return _gzip(raw)
        case "jsonl.zst":
            return cast("BinaryIO", zstandard.ZstdCompressor(level=6).stream_writer(raw, closefd=False))


def _gzip(raw: BinaryIO) -> BinaryIO:
    """No file name and no time in the header, so that equal content gives equal bytes."""
    return cast("BinaryIO", gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0))


def _text(path: Path, stack: ExitStack) -> io.TextIOWrapper:
    packed = stack.enter_context(_gzip(stack.enter_context(path.open("wb"))))
    return io.TextIOWrapper(packed, encoding="utf-8", newline="")


def _labels(rows: list[Label], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(Label._fields)
        table.writerows(rows)
