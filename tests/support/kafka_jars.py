"""Find Java, and the jars of the Apache Kafka broker named in tools/kafka/pom.xml; fetch them once with Maven.

The jars lie in `.kafka/<digest of the pom>/`, so a changed pom fetches anew and an unchanged one never does.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
POM = ROOT / "tools" / "kafka" / "pom.xml"
CACHE = ROOT / ".kafka"
OLDEST_JAVA = 17
FETCH_SECONDS = 300


class KafkaUnavailableError(Exception):
    """Why Apache Kafka can't be had on this machine, in a few words."""


def java_home_or_path() -> str:
    """Return the java program to use: JAVA_HOME's, else the one on PATH; raise KafkaUnavailableError if unfit."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if java is None or not os.access(java, os.X_OK):
        raise KafkaUnavailableError("no java on PATH")
    if (version := java_version(java)) < OLDEST_JAVA:
        raise KafkaUnavailableError(f"Java {version} is older than {OLDEST_JAVA}")
    return java


def java_version(java: str) -> int:
    """Return the feature version of a java program (17 for 17.0.15), 0 if it doesn't say."""
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, timeout=30)
    found = re.search(r'version "(\d+)', said.stderr)
    return int(found.group(1)) if found else 0


def kafka_version() -> str:
    """Return the Apache Kafka version that the pom pins."""
    found = re.search(r"<kafka\.version>([^<]+)<", POM.read_text())
    if found is None:
        raise KafkaUnavailableError(f"{POM} names no kafka.version")
    return found.group(1)


def jar_folder() -> Path:
    """Return where this pom's jars belong, whether or not they are there."""
    return CACHE / hashlib.sha256(POM.read_bytes()).hexdigest()[:12]


def jars() -> Path:
    """Return the folder with the broker's jars, fetched when needed; raise KafkaUnavailableError if they can't be."""
    folder = jar_folder()
    if not folder.is_dir():
        _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailableError("no mvn on PATH, and no jars fetched earlier")
    CACHE.mkdir(exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix="fetching-", dir=CACHE))
    try:
        _copy_dependencies(maven, partial)
        # Whole or not at all; if another run was faster, its folder serves as well.
        with contextlib.suppress(OSError):
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    if not folder.is_dir():
        raise KafkaUnavailableError(f"{folder} could not be made")


def _copy_dependencies(maven: str, target: Path) -> None:
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={target}", "-DincludeScope=runtime"]
    command = [maven, "--batch-mode", "--quiet", "--no-transfer-progress", "--file", str(POM), *goal]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=FETCH_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise KafkaUnavailableError(f"mvn did not finish within {FETCH_SECONDS} s") from error
    if done.returncode != 0:
        errors = [line for line in done.stdout.splitlines() if "ERROR" in line]
        raise KafkaUnavailableError("mvn failed: " + (errors[0] if errors else done.stdout[-300:])[:300])


def main() -> None:
    """`make kafka`, first half: fetch, and say in one line how that went; never fails, for tests can do without."""
    try:
        java = java_home_or_path()
        line = f"Apache Kafka {kafka_version()} is ready in {jars().relative_to(ROOT)} (Java {java_version(java)})"
    except KafkaUnavailableError as reason:
        line = f"Apache Kafka can't be had ({reason}): tests will use the embedded broker"
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
