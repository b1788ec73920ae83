"""Structured logs on standard error: JSON for machines, colour on a terminal; library loggers come the same way."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from stillwatch_streams.settings import LoggingSettings

NOISY = ("faust", "mode", "aiokafka", "asyncio")
"""Libraries whose INFO is about themselves."""


def configure_logs(settings: LoggingSettings) -> None:
    """Set up logging for the whole process."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(settings.format)],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(capture=True)


def _renderers(choice: str) -> list[Any]:
    console = choice == "console" or (choice == "auto" and sys.stderr.isatty())
    if console:
        return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    without_locals = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)  # they may hold secrets and texts
    return [structlog.processors.ExceptionRenderer(without_locals), structlog.processors.JSONRenderer()]


def get_logger(name: str) -> Any:
    """A logger that takes an event and named facts."""
    return structlog.stdlib.get_logger(name)
