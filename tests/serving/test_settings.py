"""Settings: read from the environment, wired to aiokafka's names, wrong ones refused with their name."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from stillwatch_schemas.errors import ConfigError
from stillwatch_serving.settings import BrokerSettings, ServingSettings, load_settings
from stillwatch_streams.settings import BrokerSettings as ServiceBrokerSettings
from stillwatch_streams.settings_file import load_settings as load_service_settings


def test_both_sections_come_from_the_environment() -> None:
    broker, serving = load_settings(
        {
            "STILLWATCH_BROKER__BOOTSTRAP": "kafka:9093",
            "STILLWATCH_SERVING__NODE_SHARE": "0.25",
            "STILLWATCH_SERVING__PRIVACY": "true",
            "PATH": "/bin",
        }
    )
    assert (broker.bootstrap, serving.node_share, serving.privacy) == ("kafka:9093", 0.25, True)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("STILLWATCH_SERVING__QUEUE_SIZE", "many"),
        ("STILLWATCH_SERVING__QUEUE_SIZE", "0"),
        ("STILLWATCH_SERVING__NODE_SHARE", "1.5"),
        ("STILLWATCH_SERVING__QUEUE_SISE", "5"),
        ("STILLWATCH_BROKER__SECURITY_PROTOCOL", "TLS"),
    ],
)
def test_a_wrong_setting_is_named(variable: str, value: str) -> None:
    with pytest.raises(ConfigError, match=variable):
        load_settings({variable: value})


def test_a_secret_is_not_repeated_in_an_error() -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings({"STILLWATCH_SERVING__SKETCH_KEYS": "tops3cret"})
    assert "tops3cret" not in str(caught.value)


def test_security_settings_reach_aiokafka_by_its_names() -> None:
    options = BrokerSettings(
        bootstrap="k:9093",
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="gateway",
        sasl_password="pw",  # noqa: S106  # a made-up one
    ).client_options()
    context = options.pop("ssl_context")
    assert context.verify_mode.name == "CERT_REQUIRED"
    assert options == {
        "bootstrap_servers": "k:9093",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "gateway",
        "sasl_plain_password": "pw",
    }


def test_plain_text_needs_nothing_else() -> None:
    assert BrokerSettings().client_options() == {
        "bootstrap_servers": "127.0.0.1:9092",
        "security_protocol": "PLAINTEXT",
    }


def test_unusable_certificates_are_named() -> None:
    with pytest.raises(ConfigError, match=r"no-such\.pem"):
        BrokerSettings(security_protocol="SSL", ssl_cafile="no-such.pem").client_options()


def test_the_detectors_environment_serves_a_node_too() -> None:
    """One set of STILLWATCH_BROKER__ variables for both: every setting here is one there, with the same default."""
    ours = {field.name: field.default for field in msgspec.structs.fields(BrokerSettings)}
    theirs = {field.name: field.default for field in msgspec.structs.fields(ServiceBrokerSettings)}
    assert ours.items() <= theirs.items()


def test_a_nodes_own_settings_do_not_disturb_a_detector_in_the_same_environment() -> None:
    environ = {"STILLWATCH_SERVING__NODE": "gw-1", "STILLWATCH_BROKER__BOOTSTRAP": "kafka:9093"}
    assert load_service_settings(env=environ).broker.bootstrap == "kafka:9093"
    assert load_settings(environ)[1].node == "gw-1"


def test_every_setting_stands_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
    for name in (*BrokerSettings.__struct_fields__, *ServingSettings.__struct_fields__):
        assert f"`{name.upper()}`" in page
