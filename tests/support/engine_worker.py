"""The real worker process with the real agents: `python engine_worker.py` is `stillwatch worker --unsupervised`."""

from __future__ import annotations

import sys

from stillwatch_agents.worker import make_agents
from stillwatch_streams.logs import configure_logs
from stillwatch_streams.settings_file import load_settings
from stillwatch_streams.worker_process import run_worker

if __name__ == "__main__":
    settings = load_settings()
    configure_logs(settings.logging)
    sys.exit(run_worker(settings, make_agents))
