"""Results as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

OURS = "stillwatch_reference"
CEILING = "aiokafka_"
WHOLE = "whole_"
CPU = "events_per_cpu_second"
LAST_AGENT = "events_per_cpu_second_to_the_last_agent"


def rate(peer: Mapping[str, Any]) -> float:
    """Median events per CPU-second; of the whole product until its last agent has nothing left to do."""
    median: Mapping[str, float] = peer["median"]
    return median.get(LAST_AGENT, median[CPU])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, the first column left, the others right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def conditions(result: Mapping[str, Any]) -> str:
    """When and where, in a sentence."""
    machine = result["machine"]
    before, after = result["load_before"][0], result["load_after"][0]
    return (
        f"{machine['date']}, {machine['cores']} cores of {machine['cpu']}, Python {machine['python']}; load average"
        f" {before:.1f} before, {after:.1f} after."
    )


def race(result: Mapping[str, Any]) -> str:
    """One broker's race."""
    peers: Mapping[str, Any] = result["peers"]
    ours = rate(peers[OURS]) if OURS in peers else None
    rows = []
    for name, peer in peers.items():
        rates = [_rate_of_round(one) for one in peer["rounds"]]
        compared = "" if ours is None or not _same_work(name) else f"{ours / rate(peer):.1f}x"
        rows.append(
            (
                peer["label"],
                f"{rate(peer):,.0f}",
                f"{min(rates):,.0f} - {max(rates):,.0f}",
                f"{peer['median']['events_per_second']:,.0f}",
                f"{peer['median']['rss_mib']:,.0f}",
                compared,
            )
        )
    head = ("", "events per CPU-second", "lowest - highest round", "events/s by the clock", "MiB", "Stillwatch is")
    rounds = max(len(peer["rounds"]) for peer in peers.values())
    about = (
        f"{result['broker']}: {result['records']:,} records, rounds: {rounds}; the oracle raises"
        f" {result['oracle_alerts']:,} alerts. {conditions(result)}"
    )
    return f"{about}\n\n{table(head, rows)}"


def _rate_of_round(one: Mapping[str, float]) -> float:
    return one.get(LAST_AGENT, one[CPU])


def _same_work(name: str) -> bool:
    """Neither a ceiling nor the whole product."""
    return name.endswith("_river")


def growth(result: Mapping[str, Any]) -> str:
    """Cost by number of accounts and of groups."""
    head = (
        "accounts (active)",
        "events per CPU-second",
        "bytes an account",
        "checkpoint each s",
        "restore",
        "snapshot",
    )
    rows = [
        (
            f"{one['accounts']:,} ({one['active']:,})",
            f"{one['events_per_cpu_second']:,}",
            f"{one['rss_bytes_per_account']:,}" if one["rss_bytes_per_account"] else "",
            f"{one['checkpoint_ms']:.1f} ms, {one['checkpoint_mb']:.1f} MB",
            f"{one['restore_seconds']:.2f} s",
            f"{one['snapshot_mb']:,.0f} MB",
        )
        for one in result["by_accounts"]
    ]
    by_groups = table(
        ("groups of each kind", "events per CPU-second", "group engine, µs an event"),
        [
            (f"{one['groups']:,}", f"{one['events_per_cpu_second']:,}", f"{one['group_engine_us_per_event']:.2f}")
            for one in result["by_groups"]
        ],
    )
    held = result["by_groups"][0]["accounts"]
    return f"{conditions(result)}\n\n{table(head, rows)}\n\nThe same with {held:,} accounts by groups:\n\n{by_groups}"


def instructions(record: Mapping[str, Any]) -> str:
    """The recorded instruction ratios."""
    versions = ", ".join(f"{name} {value}" for name, value in record["versions"].items())
    rows = [(f"`{name}`", f"{ratio:.3f}") for name, ratio in record["ratios"].items()]
    return f"Recorded with {versions}.\n\n{table(('hot function', 'yardsticks'), rows)}"


def flame(result: Mapping[str, Any]) -> str:
    """Shares of a profile."""
    rows = [(name if " " in name else f"`{name}`", f"{share:.1%}") for name, share in result["shares"].items()]
    about = f"{result['records']:,} records on the {result['broker']} broker. {conditions(result)}"
    return f"{about}\n\n{table(('innermost function of ours', 'share'), rows)}"
