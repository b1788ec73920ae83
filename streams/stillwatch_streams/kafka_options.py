"""Broker settings as aiokafka and Faust want them: one place where security is wired."""

from __future__ import annotations

import importlib
import ssl
from typing import Any

from stillwatch_schemas.errors import ConfigError

from stillwatch_streams.settings import BrokerSettings


def client_options(broker: BrokerSettings) -> dict[str, Any]:
    """Keyword arguments for every aiokafka client (consumer, producer, admin)."""
    options: dict[str, Any] = {
        "bootstrap_servers": [part.strip() for part in broker.bootstrap.split(",") if part.strip()],
        "security_protocol": broker.security_protocol,
        "request_timeout_ms": int(broker.request_timeout_seconds * 1000),
    }
    if "SSL" in broker.security_protocol:
        options["ssl_context"] = ssl_context(broker)
    if broker.security_protocol.startswith("SASL"):
        options |= _sasl_options(broker)
    return options


def faust_broker_urls(broker: BrokerSettings) -> list[str]:
    """`kafka://host:port` for each bootstrap server."""
    return [f"kafka://{part.strip()}" for part in broker.bootstrap.split(",") if part.strip()]


def faust_credentials(broker: BrokerSettings) -> Any:
    """The same security as a Faust credentials object; None for plain text."""
    import faust  # noqa: PLC0415 - takes a second, which commands that only look at topics needn't wait for

    context = ssl_context(broker) if "SSL" in broker.security_protocol else None
    if broker.security_protocol == "PLAINTEXT":
        return None
    if broker.security_protocol == "SSL":
        return faust.SSLCredentials(context)
    if broker.sasl_mechanism == "OAUTHBEARER":
        return faust.auth.OAuthCredentials(oauth_cb=token_provider(broker), ssl_context=context)
    if broker.sasl_mechanism == "GSSAPI":
        return faust.GSSAPICredentials(
            kerberos_service_name=broker.sasl_kerberos_service_name, ssl_context=context, mechanism="GSSAPI"
        )
    return faust.SASLCredentials(
        username=broker.sasl_username,
        password=broker.sasl_password,
        ssl_context=context,
        mechanism=broker.sasl_mechanism,
    )


def ssl_context(broker: BrokerSettings) -> ssl.SSLContext:
    """TLS as configured; ConfigError naming the file that can't be read."""
    try:
        context = ssl.create_default_context(cafile=broker.ssl_cafile or None)
        if broker.ssl_certfile:
            context.load_cert_chain(
                broker.ssl_certfile, broker.ssl_keyfile or None, password=broker.ssl_key_password or None
            )
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"Can't set up TLS with broker.ssl_cafile={broker.ssl_cafile!r}, ssl_certfile={broker.ssl_certfile!r},"
            f" ssl_keyfile={broker.ssl_keyfile!r}: {error}."
        ) from error
    context.check_hostname = broker.ssl_check_hostname
    return context


def token_provider(broker: BrokerSettings) -> Any:
    """The OAUTHBEARER token provider named by `sasl_oauth_token_provider`."""
    module, _, name = broker.sasl_oauth_token_provider.partition(":")
    try:
        return getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise ConfigError(
            f"broker.sasl_oauth_token_provider={broker.sasl_oauth_token_provider!r} must be 'package.module:name' of a"
            f" callable that returns an aiokafka AbstractTokenProvider: {error}."
        ) from error


def _sasl_options(broker: BrokerSettings) -> dict[str, Any]:
    options: dict[str, Any] = {"sasl_mechanism": broker.sasl_mechanism}
    if broker.sasl_mechanism == "OAUTHBEARER":
        options["sasl_oauth_token_provider"] = token_provider(broker)
    elif broker.sasl_mechanism == "GSSAPI":
        options["sasl_kerberos_service_name"] = broker.sasl_kerberos_service_name
    else:
        options |= {"sasl_plain_username": broker.sasl_username, "sasl_plain_password": broker.sasl_password}
    return options
