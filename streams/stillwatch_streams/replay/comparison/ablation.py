"""Ablation: one signal at a time removed, all variants on one pass, each against the run with every signal.

A removed signal is one more name in `disabled_signals`. What it was worth is what its absence costs, which is not what
it would find alone: signals that say the same stand in for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from stillwatch_models.config import EngineConfig
from stillwatch_models.switches import refuse_unknown_signals, signal_names
from stillwatch_schemas.errors import ConfigError

from stillwatch_streams.output_folder import OutputFolder
from stillwatch_streams.replay.comparison.ablation_page import ablation_html
from stillwatch_streams.replay.comparison.ablation_result import Ablation, variant_of
from stillwatch_streams.replay.comparison.together import run_together
from stillwatch_streams.replay.reading import Input, Progress
from stillwatch_streams.replay.stopping import StopFlag

WHOLE = "all"
"""Folder of the run with every signal."""


def ablate(
    given: Input,
    out: Path,
    config: EngineConfig,
    signals: Sequence[str],
    *,
    stop: StopFlag | None = None,
    progress: Progress | None = None,
) -> Ablation:
    """Run every variant; writes `all/`, `without-<signal>/`, `ablation.json` and `ablation.html` into `out`.

    Memory is that of one replay times the variants.
    """
    configs = {WHOLE: config} | {folder_of(name): without(config, name) for name in signals}
    stories = run_together(given, out, configs, stop=stop, progress=progress)
    base = stories.pop(WHOLE)
    found = Ablation(
        config_hash=config.hash(),
        events=base.summary.events,
        accounts=base.summary.accounts,
        first_ts=base.summary.first_ts,
        last_ts=base.summary.last_ts,
        sources=base.summary.sources,
        interrupted=base.summary.interrupted,
        error=base.summary.error,
        whole=variant_of("", WHOLE, base, base),
        without=tuple(variant_of(name, folder_of(name), base, stories[folder_of(name)]) for name in signals),
    )
    with OutputFolder(out) as folder:
        folder.write("ablation.json", msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
        folder.write("ablation.html", ablation_html(found))
    return found


def signals_to_remove(config: EngineConfig, asked: Sequence[str]) -> list[str]:
    """The signals that were asked for, else all that are on; ConfigError where one does not exist or is off already."""
    refuse_unknown_signals(asked, "--signal")
    off = [name for name in asked if name in config.disabled_signals]
    if off:
        raise ConfigError(f"--signal: {off[0]!r} is off in this configuration already (engine.disabled_signals)")
    return list(dict.fromkeys(asked)) or [name for name in signal_names() if name not in config.disabled_signals]


def without(config: EngineConfig, name: str) -> EngineConfig:
    """The configuration with one more signal off."""
    return msgspec.structs.replace(config, disabled_signals=(*config.disabled_signals, name))


def folder_of(name: str) -> str:
    """The folder of the run without this signal."""
    return f"without-{name}"
