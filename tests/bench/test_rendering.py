"""docs/performance.md says what bench/results holds, and instruction counts are judged as documented."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import instructions
import pytest
import render
from flames import stacks as stacks_module
from instructions import Record
from rendering import chart, tables


def peer(label: str, *rates: int, quiet: int | None = None) -> dict[str, Any]:
    rounds = [{"events_per_cpu_second": rate, "events_per_second": rate, "rss_mib": 50.0} for rate in rates]
    if quiet is not None:
        rounds = [{**one, "events_per_cpu_second_to_the_last_agent": quiet} for one in rounds]
    return {"label": label, "median": sorted(rounds, key=str)[len(rounds) // 2], "rounds": rounds}


RACE = {
    "machine": {"date": "2026-01-01", "cores": 2, "cpu": "a CPU", "python": "3.11"},
    "load_before": [0.1],
    "load_after": [1.2],
    "broker": "a broker",
    "records": 1000,
    "oracle_alerts": 9,
    "peers": {
        "aiokafka_consume": peer("ceiling", 400_000),
        "faust_river": peer("Faust", 2_000, 2_500, 2_600),
        "stillwatch_reference": peer("same work", 200_000),
        "whole_text": peer("everything <on>", 20_000, quiet=15_000),
    },
}


def test_the_page_is_what_the_results_say() -> None:
    stale = [path.name for path, text in render.documents().items() if not path.exists() or path.read_text() != text]
    assert not stale, "run python bench/render.py"


def test_a_race_is_told_with_factors_for_the_same_work_only() -> None:
    lines = {line.split("|")[1].strip(): line for line in tables.race(RACE).splitlines() if line.startswith("| ")}
    assert "| 2,500 | 2,000 - 2,600 |" in lines["Faust"]
    assert lines["Faust"].endswith("| 80.0x |")
    assert lines["ceiling"].endswith("|  |")
    assert "| 15,000 |" in lines["everything <on>"]  # until the last agent is done


def test_the_chart_is_an_svg_with_a_longer_bar_for_more() -> None:
    drawn = ET.fromstring(chart.bars(RACE))  # noqa: S314 - our own text
    space = "{http://www.w3.org/2000/svg}"
    bars = [float(one.attrib["width"]) for one in drawn.iter(f"{space}rect")][1:]
    assert bars[0] > bars[2] > bars[3] > bars[1] > 0
    assert any("everything <on>" in (text.text or "") for text in drawn.iter(f"{space}text"))


def test_a_page_without_the_marker_is_refused() -> None:
    page = render.between("a <!-- begin: x -->old<!-- end: x --> b", "x", "new")
    assert page == "a <!-- begin: x -->\nnew\n<!-- end: x --> b"
    with pytest.raises(ValueError, match="no place marked"):
        render.between("nothing", "x", "new")


def test_a_profile_names_the_innermost_function_of_ours_and_leaves_waiting_out() -> None:
    runner = "_run (stillwatch_streams/runner.py:9)"
    stacks = [
        f"main (x.py:1);{runner};process (stillwatch_models/engine.py:1);sort (numpy/core.py:2) 60",
        f"main (x.py:1);{runner};send (aiokafka/producer.py:1) 20",
        "run (threading.py:1);_drain (stillwatch_streams/transport.py:1);getall (aiokafka/fetcher.py:1) 20",
        "run (threading.py:1);select (selectors.py:468) 900",
    ]
    assert stacks_module.shares(stacks) == {
        "engine.process": 0.6,
        "runner._run": 0.2,
        stacks_module.LIBRARIES: 0.2,
        "everything else": 0.0,
    }


@pytest.mark.parametrize(
    ("ratio", "python", "code"), [(1.09, "3.11.7", 0), (1.11, "3.11.7", 1), (0.5, "3.11.7", 0), (1.5, "3.12.0", 0)]
)
def test_only_a_comparable_count_more_than_a_tenth_above_is_a_regression(
    ratio: float, python: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = Record(versions={"python": "3.11.7"}, yardstick=10, ratios={"engine": 1.0})
    now = Record(versions={"python": python}, yardstick=11, ratios={"engine": ratio, "other": 3.0})
    assert instructions.compare(now, recorded) == code
    assert "engine" in capsys.readouterr().out
