"""What `live_worker.py` measured, as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rendering.tables import conditions, table

Result = Mapping[str, Any]


def stream(result: Result) -> str:
    """A file of events, live and replayed."""
    alerts, replay = result["alerts"], result["replay"]
    same = "the same ids and the same bytes" if alerts["bytes_equal"] else "NOT the same bytes"
    rows = [
        ("wall", f"{result['wall_seconds']:.1f} s", f"{replay['seconds']:.1f} s"),
        ("processor time", f"{result['cpu_seconds']:.1f} s", f"{replay['cpu_seconds']:.1f} s"),
        ("events per second, wall", f"{result['events_per_second']:,}", f"{replay['events_per_s']:,.0f}"),
        (
            "events per CPU-second",
            f"{result['events_per_cpu_second']:,}",
            f"{replay['events'] / replay['cpu_seconds']:,.0f}",
        ),
        ("peak resident memory", f"{result['peak_rss_mib']:,.0f} MiB", ""),
        ("start until it answers", f"{result['start_seconds']:.1f} s", ""),
        ("checkpoints written", f"{result['checkpoint_bytes'] / 1e6:,.0f} MB", "none"),
        ("alert messages", f"{alerts['records']:,}", f"{alerts['ids_replay']:,}"),
    ]
    told = (
        f"{result['records']:,} records, {result['accounts']:,} accounts, {result['dead_letters']} dead letters. Alerts"
        f" live and replayed: {same}."
    )
    return f"{conditions(result)}\n\n{table(('', 'worker on Kafka', 'replay of the file'), rows)}\n\n{told}"


def dense(sketched: Result, text: Result) -> str:
    """Dense traffic, sketched and with text."""
    keys = {
        "events_per_second": "events per second, wall",
        "events_per_cpu_second": "events per CPU-second",
        "peak_rss_mib": "peak resident memory, MiB",
    }
    rows = [(label, *(f"{one['median'][key]:,.0f}" for one in (sketched, text))) for key, label in keys.items()]
    rows.append(("mean record, bytes", *(f"{one['mean_record_bytes']:,}" for one in (sketched, text))))
    head = ("", "with the emitter's sketches", "with text")
    return f"{conditions(sketched)}\n\n{table(head, rows)}"


def scale(result: Result) -> str:
    """One worker and two."""
    names = {
        "events_per_second": "events per second, wall",
        "events_per_cpu_second": "events per CPU-second",
        "cores_used_by_workers": "cores used by the workers",
        "cores_used_by_broker": "cores used by the broker",
        "fill_seconds": "seconds of the load generator",
    }
    rows = [
        (label, *(_number(_middle([one[key] for one in rounds])) for rounds in result["workers"].values()))
        for key, label in names.items()
        if all(key in one for rounds in result["workers"].values() for one in rounds)
    ]
    told = (
        f"Two workers are **{result['speedup_by_the_clock']:.2f} times** as fast by the clock, and an event costs them"
        f" {result['cost_of_an_event_with_two']:.2f} times the processor time."
    )
    return f"{conditions(result)}\n\n{table(('', 'one worker', 'two workers'), rows)}\n\n{told}"


def latency(*results: Result) -> str:
    """Spans at each load, median and 99th percentile."""
    head = (
        "median / 99th percentile (count)",
        *(f"{one['asked_events_per_second']:,} events a second" for one in results),
    )
    kinds = list(dict.fromkeys(kind for one in results for kind in one["spans_ms"]))
    rows = [(kind, *(_spread(one["spans_ms"].get(kind)) for one in results)) for kind in kinds]
    rows.append(("worker's share of a core", *(f"{one['worker_cpu_share_of_a_core']:.0%}" for one in results)))
    rows.append(("the load generator was late by", *(_spread(one["generator_late_ms"]) for one in results)))
    return f"{conditions(results[0])}\n\n{table(head, rows)}"


def memory(result: Result) -> str:
    """Engines of two sizes."""
    engines: Sequence[Result] = result["engines"]
    rows = [
        ("resident memory of the process", *(f"{one['rss_mib']:,.0f} MiB" for one in engines)),
        ("checkpoint: account rows", *(f"{one['account_row_bytes'] / 1e6:,.1f} MB" for one in engines)),
        (
            "checkpoint: text memory, learners",
            *(f"{(one['text_row_bytes'] + one['model_row_bytes']) / 1e6:,.1f} MB" for one in engines),
        ),
    ]
    kept, resident = result["checkpoint_bytes_per_account"], result["rss_bytes_per_further_account"]
    told = (
        f"A whole row is {result['row_bytes']:,} bytes; after three events {kept:,} of them, with the account's name,"
        f" are written to a checkpoint. **Each further account costs {resident / 1e3:.1f} kB resident.**"
    )
    head = ("", *(f"{one['accounts']:,} accounts" for one in engines))
    return f"{conditions(result)}\n\n{table(head, rows)}\n\n{told}"


def recovery(result: Result) -> str:
    """A worker that comes back."""
    found, accounts = result["median"], result["accounts"]
    rows = [
        ("accounts", f"{accounts:,}"),
        ("checkpoint topic read, rows restored", f"{found['recovery_seconds']:.1f} s"),
        ("from the start of the process to reading on", f"{found['from_start_of_process_seconds']:.1f} s"),
        ("processor time of the start", f"{found['cpu_seconds']:.1f} s"),
        ("recovery of an account", f"{found['recovery_seconds'] / accounts * 1e6:.0f} µs"),
        ("peak resident memory", f"{found['peak_rss_mib']:,.0f} MiB"),
    ]
    return f"{conditions(result)}\n\n{table(('', ''), rows)}"


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"  # noqa: PLR2004 - three digits say enough


def _spread(found: Mapping[str, float] | None) -> str:
    if not found or "p50" not in found:
        return ""
    return f"{found['p50']:.1f} / {found['p99']:.1f} ms ({found['count']:,.0f})"
