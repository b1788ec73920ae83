"""Every setting of the service, in one table of frozen structs, parsed once from a TOML file and the environment.

Order: built-in default, then the file (`--config` or `STILLWATCH_CONFIG`), then `STILLWATCH_<SECTION>__<FIELD>` (for
the policy `STILLWATCH_ENGINE__POLICY__<FIELD>`). An unknown key or a wrong value stops the program and names key,
value, where it was written, and what is allowed.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from stillwatch_models.config import EngineConfig

Seconds = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(gt=0)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]


AgentName = Literal["account", "group", "campaign", "policy", "feedback"]


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach Kafka; the names are Kafka's own."""

    bootstrap: str = "127.0.0.1:9092"
    """`host:port`, several separated by commas."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """TLS, authentication, both or neither."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"] = "PLAIN"
    """How to authenticate, where the protocol is one of SASL."""
    sasl_username: str = ""
    """Of PLAIN and SCRAM."""
    sasl_password: str = ""
    """Of PLAIN and SCRAM; give it by environment."""
    sasl_oauth_token_provider: str = ""
    """`package.module:name` of a callable that returns an aiokafka `AbstractTokenProvider` (OAUTHBEARER)."""
    sasl_kerberos_service_name: str = "kafka"
    """Of GSSAPI."""
    ssl_cafile: str = ""
    """CA certificates (PEM); empty uses the system's."""
    ssl_certfile: str = ""
    """Client certificate (PEM) for mutual TLS."""
    ssl_keyfile: str = ""
    """Key of that certificate (PEM)."""
    ssl_key_password: str = ""
    """Password of that key, where it has one."""
    ssl_check_hostname: bool = True
    """Whether the broker's certificate must name its host."""
    request_timeout_seconds: Seconds = 40.0
    """How long an answer of the broker is waited for."""


class SourceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The request topic and how its records are read."""

    topic: str = "llm.requests.v1"
    """Where the request events are."""
    format: Literal["native", "litellm"] = "native"
    """What its records are: our own schema, or LiteLLM's `StandardLoggingPayload`."""
    partitions: Count = 1
    """Partitions to create topics with; existing topics keep theirs. Take no more than the load needs, about one for
    10,000 requests a second: which texts unrelated accounts share is seen inside a partition."""
    allowed_skew_seconds: Annotated[float, msgspec.Meta(ge=0)] = 600.0
    """How far an event's `ts` may lie from the broker's record timestamp, either way."""
    sketch_key: str = ""
    """Key of the text sketch, at least 16 bytes; must equal the emitters' where they sketch. Empty uses a fixed public
    key."""
    heartbeat_idle_seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """Write a heartbeat to a request partition that was silent this long; 0 leaves that to the emitters."""
    start: Literal["earliest", "latest"] = "earliest"
    """Where a partition without checkpoint and committed offset begins."""
    accept_verdicts: bool = True
    """Obey the analysts' verdicts that the feedback agent writes into the request topic; off where others than gateways
    and Stillwatch can write there."""
    on_lost_records: Literal["stop", "skip"] = "stop"
    """When retention deleted records before they were read: refuse to go on, or count them and go on."""


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The worker process."""

    app_id: str = "stillwatch"
    """Consumer group; workers with the same id share the partitions."""
    topic_prefix: str = ""
    """Put before every topic name, for several installations on one cluster."""
    replication_factor: Count = 1
    """Replicas to create topics with."""
    http_host: str = "127.0.0.1"
    """Where /healthz, /readyz and /metrics listen; they have no authentication."""
    http_port: Port = 8642
    """0 picks a free port and logs it."""
    checkpoint_interval_seconds: Seconds = 1.0
    """How often state and offsets are made durable: what a crash makes the worker read again."""
    session_timeout_seconds: Seconds = 10.0
    """How long the broker waits before it gives a silent worker's partitions to another."""
    instance_id: str = ""
    """Kafka's `group.instance.id`: a name that survives restarts (a pod's name) makes them cheap."""
    datadir: str = ".stillwatch"
    """Where crash notes are kept; no detector state."""
    stall_seconds: Seconds = 60.0
    """/readyz fails when a partition with lag made no progress, or no checkpoint succeeded, for this long."""
    fetch_wait_ms: Count = 50
    """The longest a fetch waits at the broker for data."""
    agents: tuple[AgentName, ...] = ("account", "group", "campaign", "policy", "feedback")
    """Which agents this worker runs."""


class EnforcementSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Directives."""

    signing_key_path: str = ""
    """Ed25519 private key (PEM) that signs directives; empty publishes them unsigned."""
    expire_interval_seconds: Seconds = 5.0
    """How often expired directives are looked for and released."""


class LoggingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Logs go to standard error."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least grave that is written."""
    format: Literal["auto", "json", "console"] = "auto"
    """`auto`: coloured lines on a terminal, JSON elsewhere."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, one struct a section."""

    broker: BrokerSettings = BrokerSettings()
    source: SourceSettings = SourceSettings()
    engine: EngineConfig = EngineConfig()
    service: ServiceSettings = ServiceSettings()
    enforcement: EnforcementSettings = EnforcementSettings()
    logging: LoggingSettings = LoggingSettings()


SECRETS = frozenset({"broker.sasl_password", "broker.ssl_key_password", "source.sketch_key"})
"""Printed as ***; never logged."""
