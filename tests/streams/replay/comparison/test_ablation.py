"""One signal at a time removed: which runs there are, and what their figures are measured against."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from stillwatch_models.config import EngineConfig
from stillwatch_models.switches import signal_names
from stillwatch_schemas.errors import ConfigError
from stillwatch_streams.ingest import Ingest
from stillwatch_streams.replay.comparison.ablation import ablate, signals_to_remove
from stillwatch_streams.replay.comparison.ablation_page import ablation_html
from stillwatch_streams.replay.comparison.ablation_result import Ablation
from stillwatch_streams.replay.comparison.text import ablation_lines
from stillwatch_streams.replay.reading import Input
from stillwatch_streams.sources import TimeRange, open_source
from support.builders import T0, make_event
from support.pages import stands_alone, tags_of
from support.stories import make_label

CONFIG = EngineConfig(hard_ceiling_per_minute=30)


@pytest.fixture
def given(tmp_path: Path) -> Input:
    """One account that only the hard ceiling sees, and four calm ones."""
    calm = [(T0 + n * 36_000, f"calm-{n % 4}") for n in range(40)]
    burst = [(T0 + 600_000 + n * 1_000, "burst") for n in range(40)]
    events = [make_event(event_id=f"e{n}", ts=ts, account_id=name) for n, (ts, name) in enumerate(sorted(calm + burst))]
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in events))
    labels = {f"calm-{n}": make_label(f"calm-{n}") for n in range(4)} | {"burst": make_label("burst", "<C>")}
    return Input(sources=[open_source(str(file), TimeRange())], ingest=Ingest(), partitions=2, labels=labels)


@pytest.fixture
def found(given: Input, tmp_path: Path) -> Ablation:
    return ablate(given, tmp_path / "out", CONFIG, ["hard_ceiling", "volume"])


def test_every_run_has_its_folder_and_its_settings(found: Ablation, tmp_path: Path) -> None:
    assert [(one.signal, one.folder) for one in (found.whole, *found.without)] == [
        ("", "all"),
        ("hard_ceiling", "without-hard_ceiling"),
        ("volume", "without-volume"),
    ]
    summaries = {folder.name: folder / "summary.json" for folder in (tmp_path / "out").iterdir() if folder.is_dir()}
    configs = {name: json.loads(file.read_bytes())["config"] for name, file in summaries.items()}
    disabled = {name: config["disabled_signals"] for name, config in configs.items()}
    assert disabled == {"all": [], "without-hard_ceiling": ["hard_ceiling"], "without-volume": ["volume"]}


def test_what_a_signal_alone_saw_is_lost_without_it(found: Ablation) -> None:
    ceiling, volume = found.without
    assert (found.whole.distill_alerted.hits, ceiling.distill_alerted.hits, volume.distill_alerted.hits) == (1, 0, 1)
    alerted = {pair.figure: pair for pair in ceiling.changes}["distilling accounts alerted"]
    assert (alerted.gained, alerted.lost) == (0, 1)
    assert (found.whole.campaigns_found.hits, ceiling.campaigns_found.hits) == (1, 0)
    assert ceiling.leaked_by_campaign["<C>"] == 40 > volume.leaked_by_campaign["<C>"]


def test_the_file_the_page_and_the_lines_agree(found: Ablation, tmp_path: Path) -> None:
    written = msgspec.json.decode((tmp_path / "out" / "ablation.json").read_bytes(), type=Ablation)
    assert written == found
    page = (tmp_path / "out" / "ablation.html").read_bytes()
    assert page == ablation_html(found)
    assert stands_alone(page)
    assert tags_of(page).open.count("svg") == 3
    assert "<C>" not in page.decode()
    lines = list(ablation_lines(found, tmp_path))
    assert lines[0] == "80 events of 5 accounts, read once for 3 runs"
    assert [line.split("  ")[0] for line in lines[2:5]] == ["every signal", "without hard_ceiling", "without volume"]


def test_by_default_every_signal_that_is_on_is_removed_once() -> None:
    assert signals_to_remove(EngineConfig(), []) == list(signal_names())
    assert "volume" not in signals_to_remove(EngineConfig(disabled_signals=("volume",)), [])


def test_only_what_was_asked_for_is_removed() -> None:
    assert signals_to_remove(EngineConfig(), ["volume", "harvest", "volume"]) == ["volume", "harvest"]


def test_what_does_not_exist_or_is_off_cannot_be_removed() -> None:
    with pytest.raises(ConfigError, match=r"--signal: 'volum' is no signal. Did you mean volume\?"):
        signals_to_remove(EngineConfig(), ["volum"])
    with pytest.raises(ConfigError, match="--signal: 'volume' is off in this configuration already"):
        signals_to_remove(EngineConfig(disabled_signals=("volume",)), ["volume"])
