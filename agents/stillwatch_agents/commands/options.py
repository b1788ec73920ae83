"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

ConfigFile = Annotated[
    str | None,
    typer.Option(
        "--config", help="TOML file with settings; STILLWATCH_<SECTION>__<FIELD> overrides it.", metavar="FILE"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
Out = Annotated[Path, typer.Option(help="Folder for the results; files in it are replaced.")]
Labels = Annotated[
    Path | None,
    typer.Option(help="Ground truth: account_id,label,archetype,campaign_id,family. Read for the evaluation only."),
]
EventLabels = Annotated[
    Path | None,
    typer.Option(help="Which events are attack exchanges: event_id,is_attack,campaign_id (.csv or .csv.gz)."),
]
Verdicts = Annotated[
    Path | None,
    typer.Option(help="What analysts decided meanwhile, one verdict a line (.jsonl); a topic carries its own."),
]
From = Annotated[str, typer.Option("--from", help="First event time: ISO 8601 or epoch ms.")]
To = Annotated[str, typer.Option("--to", help="Event time to stop before.")]
Format = Annotated[
    Literal["native", "litellm"] | None, typer.Option("--format", help="What the records are; default: settings.")
]
Partitions = Annotated[
    int | None, typer.Option(min=1, help="Shards for files; default: settings. A topic brings its own.")
]
Jobs = Annotated[
    int, typer.Option("--jobs", "-j", min=1, metavar="N", help="Processes to share the work; same results for any N.")
]
