"""The one error tree.

StillwatchError
├── ConfigError        a setting, file or option is wrong (exit 2)
├── ContractError      a record or line does not fit its contract: goes to the DLQ, never stops the stream
├── SourceError        an input cannot be read (exit 2)
├── BrokerError        Kafka cannot be reached or refuses (exit 1)
├── StateError         a checkpoint is missing, torn or of another version: refuses to start (exit 1)
└── SignatureError     a directive is not signed by the key we trust: not obeyed

Every message says what happened, where, and what to do.
"""

from __future__ import annotations


class StillwatchError(Exception):
    """Base of everything Stillwatch raises on purpose; `exit_code` is what the command line exits with."""

    exit_code = 1


class ConfigError(StillwatchError):
    """A setting, configuration file or option is wrong."""

    exit_code = 2


class ContractError(StillwatchError):
    """A record does not fit its contract.

    `code` is a stable word for metrics and DLQ headers; `field` the path of the offending field, where there is one.
    """

    def __init__(self, code: str, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field


class SourceError(StillwatchError):
    """An input (file, topic) cannot be read."""

    exit_code = 2


class BrokerError(StillwatchError):
    """Kafka cannot be reached, or refuses."""


class StateError(StillwatchError):
    """Recovered state cannot be trusted: missing, torn, or of another version."""


class SignatureError(StillwatchError):
    """A directive's signature does not verify."""
