"""Dockerfile and compose file: linted, valid by the compose specification, and in step with the rest of the project.

No container engine is needed; what only an engine can show (that the images exist and start) isn't shown here.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from stillwatch_serving.settings import load_settings as gateway_settings
from stillwatch_streams.settings_file import load_settings as worker_settings
from support.kafka_jars import kafka_version
from support.project import ROOT

BIN = Path(sys.executable).parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return document


def lint(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    if not (BIN / tool).exists():
        pytest.skip(f"needs {tool}, which make installs")
    return subprocess.run([str(BIN / tool), *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    done = lint("hadolint", "Dockerfile")
    assert done.returncode == 0, done.stdout


def test_hadolint_would_find_something(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN cd /tmp && sudo ls\n")
    assert lint("hadolint", str(tmp_path / "Dockerfile")).returncode == 1


def test_the_compose_file_fits_the_specification() -> None:
    done = lint("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_specification_would_refuse_an_unknown_key(tmp_path: Path) -> None:
    (tmp_path / "compose.yml").write_text("services:\n  kafka:\n    imagine: apache/kafka\n")
    done = lint("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(tmp_path / "compose.yml"))
    assert done.returncode == 1


def test_the_image_is_built_in_stages_and_runs_as_an_ordinary_user() -> None:
    assert len(re.findall(r"^FROM ", DOCKERFILE, re.MULTILINE)) == 2
    users = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)
    assert users == ["10001:10001"]
    assert "--no-dev" in DOCKERFILE
    assert re.search(r"^HEALTHCHECK .*\\\n.*HEALTH_URL", DOCKERFILE, re.MULTILINE)


def test_versions_are_exact_and_the_same_everywhere(compose: dict[str, Any]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    pinned = re.search(r"^UV_VERSION := (\S+)$", makefile, re.MULTILINE)
    assert pinned is not None
    assert f"uv=={pinned.group(1)}" in DOCKERFILE
    assert compose["services"]["kafka"]["image"] == f"apache/kafka:{kafka_version()}"
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(set(bases)) == 1
    for image in [*bases, *(service["image"] for service in compose["services"].values())]:
        assert re.search(r":(\d|v\d|local$)", image), f"{image} is not pinned"


def test_every_published_port_is_on_loopback(compose: dict[str, Any]) -> None:
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_services_wait_for_kafka_and_its_topics(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert "healthcheck" in services["kafka"]
    assert services["topics"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    for name in ("worker", "gateway"):
        assert services[name]["depends_on"] == {"topics": {"condition": "service_completed_successfully"}}
    assert services["ui"]["profiles"] == ["ui"]


def test_worker_and_gateway_accept_the_settings_they_are_given(compose: dict[str, Any]) -> None:
    worker, gateway = (compose["services"][name]["environment"] for name in ("worker", "gateway"))
    assert worker_settings(env=worker).broker.bootstrap == "kafka:9092"
    assert gateway_settings(gateway)[0].bootstrap == "kafka:9092"


@pytest.mark.parametrize("service", ["topics", "worker"])
def test_the_command_of_a_service_exists(compose: dict[str, Any], service: str) -> None:
    command = [sys.executable, "-m", "stillwatch_agents", *compose["services"][service]["command"], "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_gateway_s_options_exist(compose: dict[str, Any]) -> None:
    gateway = compose["services"]["gateway"]
    command = [sys.executable, *gateway["entrypoint"][1:], *gateway["command"], "--help"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
