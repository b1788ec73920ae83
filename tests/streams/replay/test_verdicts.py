"""Verdicts from a file: what replay does with them, and what it says about a broken one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from stillwatch_models.config import EngineConfig
from stillwatch_schemas.alerts import decode_finding
from stillwatch_schemas.codec import encode_verdict
from stillwatch_schemas.errors import ConfigError
from stillwatch_schemas.findings import Finding
from stillwatch_schemas.verdicts import Verdict
from stillwatch_streams.ingest import Ingest
from stillwatch_streams.replay.run import Job, replay
from stillwatch_streams.replay.verdicts import read_verdicts
from stillwatch_streams.sources import TimeRange, open_source
from support.builders import T0, make_verdict
from support.traffic import small_config, traffic

CONFIG: EngineConfig = small_config(hard_ceiling_per_minute=100_000)


def test_a_file_of_verdicts_is_read_in_order_and_empty_lines_are_skipped(tmp_path: Path) -> None:
    wanted = [make_verdict(verdict_id=f"v{n}", note="grüße") for n in range(3)]
    path = tmp_path / "verdicts.jsonl"
    path.write_bytes(b"\n\n".join(encode_verdict(verdict) for verdict in wanted) + b"\n")
    assert read_verdicts(path) == wanted


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    path.write_bytes(encode_verdict(make_verdict()) + b'\n{"label": "guilty"}\n')
    with pytest.raises(ConfigError, match=r"verdicts\.jsonl, line 2: "):
        read_verdicts(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.jsonl: cannot be read"):
        read_verdicts(tmp_path / "nowhere.jsonl")


def replayed(folder: Path, verdicts: list[Verdict], **options: Any) -> list[Finding]:
    """The alerts of a replay of the small traffic with these verdicts."""
    file = folder / "events.jsonl"
    events = [item for item in traffic(1, 1_200) if hasattr(item, "event_id")]
    file.write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in events))
    out = folder / "out"
    job = Job(
        sources=[open_source(str(file), TimeRange())],
        ingest=Ingest(),
        config=CONFIG,
        partitions=1,
        out=out,
        verdicts=verdicts,
        **options,
    )
    replay(job)
    return [decode_finding(line) for line in (out / "alerts.jsonl").read_bytes().splitlines()]


def test_replay_with_a_benign_verdict_closes_the_incident_and_releases_the_directive(tmp_path: Path) -> None:
    free = replayed(tmp_path, [])
    opened = next(one for one in free if one.activity == "create" and one.kind == "distillation")
    verdict = make_verdict(subject=opened.subject, finding_uid=opened.uid, label="benign", at=opened.time_ms + 5_000)
    told = replayed(tmp_path, [verdict])
    (closed,) = [one for one in told if one.ruling == "rejected"]
    assert (closed.uid, closed.activity) == (opened.uid, "close")
    assert 0 <= closed.time_ms - verdict.at <= 2_000
    lines = [json.loads(line) for line in (tmp_path / "out" / "directives.jsonl").read_text().splitlines()]
    released = [line for line in lines if "value" in line and line["key"] == f"account:{opened.subject}"]
    assert [line["reason"] for line in released if line["at"] == closed.time_ms] == [f"incident {opened.uid} closed"]


def test_verdicts_after_the_last_event_still_take_effect(tmp_path: Path) -> None:
    opened = next(one for one in replayed(tmp_path, []) if one.kind == "distillation")
    verdict = make_verdict(subject=opened.subject, label="distillation", at=T0 + 10 * 86_400_000)
    told = replayed(tmp_path, [verdict])
    assert [one.subject for one in told if one.ruling == "confirmed"] == [opened.subject]
