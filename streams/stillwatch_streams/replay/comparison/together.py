"""Several detectors on one pass: the input is read, decoded and sketched once, and each writes into its own folder."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from stillwatch_models.config import EngineConfig

from stillwatch_streams.output_folder import OutputFolder
from stillwatch_streams.replay.engines import standard_engines
from stillwatch_streams.replay.reading import Input, Progress, Reading
from stillwatch_streams.replay.report import Story
from stillwatch_streams.replay.run import Run
from stillwatch_streams.replay.stopping import StopFlag


def run_together(
    given: Input,
    out: Path,
    configs: Mapping[str, EngineConfig],
    *,
    stop: StopFlag | None,
    progress: Progress | None,
) -> dict[str, Story]:
    """Each configuration's replay, by the name of its folder in `out`; the files are those of replay."""
    with ExitStack() as folders:
        reading = Reading(given)
        partitions = reading.partitions
        runs = {
            name: Run(
                config,
                folders.enter_context(OutputFolder(out / name)),
                standard_engines(config, partitions),
                partitions,
            )
            for name, config in configs.items()
        }
        reading.drive(list(runs.values()), stop or StopFlag(), progress)
        return {name: run.conclude(reading) for name, run in runs.items()}
