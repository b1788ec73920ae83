"""Settings of a serving node: frozen, parsed once, units in the names.

From the environment they are `STILLWATCH_BROKER__<FIELD>` and `STILLWATCH_SERVING__<FIELD>`, the names that the
detector uses too, so that one set of variables can serve both.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from stillwatch_schemas.errors import ConfigError
from stillwatch_schemas.topics import ENFORCEMENT, ENFORCEMENT_ACKS, REQUESTS

Positive = Annotated[float, msgspec.Meta(gt=0)]
PositiveInt = Annotated[int, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
Struct = TypeVar("Struct", bound=msgspec.Struct)

PREFIX = "STILLWATCH_"


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach Kafka; names as in the detector's own broker section."""

    bootstrap: str = "127.0.0.1:9092"
    """`host:port`, several separated by commas."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"] = "PLAIN"
    sasl_username: str = ""
    sasl_password: str = ""
    sasl_kerberos_service_name: str = "kafka"
    ssl_cafile: str = ""
    """CA certificates (PEM); empty uses the system's."""
    ssl_certfile: str = ""
    """Client certificate (PEM) for mutual TLS."""
    ssl_keyfile: str = ""
    ssl_key_password: str = ""
    ssl_check_hostname: bool = True

    def client_options(self, *, token_provider: Any = None) -> dict[str, Any]:
        """Keyword arguments for any aiokafka client, by aiokafka's names.

        `token_provider` is an `aiokafka.abc.AbstractTokenProvider`, needed for OAUTHBEARER. Raises ConfigError when
        a certificate cannot be read.
        """
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol.startswith("SASL_"):
            options |= self._sasl_options(token_provider)
        if self.security_protocol.endswith("SSL"):
            options["ssl_context"] = self._ssl_context()
        return options

    def _sasl_options(self, token_provider: Any) -> dict[str, Any]:
        options: dict[str, Any] = {"sasl_mechanism": self.sasl_mechanism}
        if self.sasl_mechanism == "OAUTHBEARER":
            return options | {"sasl_oauth_token_provider": token_provider}
        if self.sasl_mechanism == "GSSAPI":
            return options | {"sasl_kerberos_service_name": self.sasl_kerberos_service_name}
        return options | {"sasl_plain_username": self.sasl_username, "sasl_plain_password": self.sasl_password}

    def _ssl_context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ssl_cafile or None)
            if self.ssl_certfile:
                context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile or None, self.ssl_key_password or None)
        except OSError as error:  # ssl.SSLError is one too
            files = ", ".join(file for file in (self.ssl_cafile, self.ssl_certfile, self.ssl_keyfile) if file)
            raise ConfigError(f"broker TLS files ({files}) cannot be used: {error}") from error
        context.check_hostname = self.ssl_check_hostname
        return context


def default_node() -> str:
    """Host name and process id: unique enough to tell acknowledgements apart."""
    return f"{socket.gethostname()}-{os.getpid()}"


class ServingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One serving process."""

    node: str = msgspec.field(default_factory=default_node)
    """Name of this process in acknowledgements."""
    requests_topic: str = REQUESTS.name
    enforcement_topic: str = ENFORCEMENT.name
    acks_topic: str = ENFORCEMENT_ACKS.name
    public_key_path: str | None = None
    """PEM file of the policy's Ed25519 public key. Without it every directive is held in shadow."""
    kill_switch_path: str | None = None
    """While this file exists nothing is enforced, only counted. Looked at once a second."""
    kill_switch: bool = False
    """The same for the whole life of the process."""
    force_shadow: bool = False
    """Count directives, never obey them: for a first roll-out."""
    node_share: Share = 1.0
    """This node's share of every throttle limit: 1/n with n nodes behind a load balancer."""
    max_ttl_seconds: Positive = 7 * 86_400.0
    """Directives that want to live longer are refused."""
    queue_size: PositiveInt = 50_000
    """Request events held while Kafka is slow; beyond it the oldest are dropped and counted."""
    heartbeat_seconds: Positive = 5.0
    """A partition that got no event for so long gets a heartbeat."""
    privacy: bool = False
    """Send sketches instead of text. Needs `sketch_key`."""
    sketch_key: str | None = None
    """Secret of at least 16 bytes that keys the sketch; the same on every node and in the detector."""
    max_body_bytes: PositiveInt = 8_388_608
    """Longest request body; beyond it the answer is 413."""
    max_prompt_chars: PositiveInt = 32_768
    """Text beyond this is cut from the event; its length is kept."""


def load_settings(environ: Mapping[str, str] | None = None) -> tuple[BrokerSettings, ServingSettings]:
    """Read both sections from the environment; raises ConfigError naming the variable."""
    values = os.environ if environ is None else environ
    return _section("BROKER", BrokerSettings, values), _section("SERVING", ServingSettings, values)


def _section(name: str, section: type[Struct], environ: Mapping[str, str]) -> Struct:
    prefix = f"{PREFIX}{name}__"
    given = {key.removeprefix(prefix).lower(): value for key, value in environ.items() if key.startswith(prefix)}
    known = [field.name for field in msgspec.structs.fields(section)]
    # The detector's broker section has settings of its own: only the serving section can tell a typing mistake.
    fields = given if section is ServingSettings else {key: value for key, value in given.items() if key in known}
    for field, value in fields.items():
        if field not in known:
            raise ConfigError(f"{prefix}{field.upper()} is not a setting; there are: {', '.join(known)}")
        _check(section, prefix, field, value)
    return msgspec.convert(fields, section, strict=False)


def _check(section: type[msgspec.Struct], prefix: str, field: str, value: str) -> None:
    try:
        msgspec.convert({field: value}, section, strict=False)
    except msgspec.ValidationError as error:
        shown = "(hidden)" if "password" in field or "key" in field else repr(value)
        raise ConfigError(f"{prefix}{field.upper()} = {shown}: {error}") from error
