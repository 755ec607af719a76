"""The jars of Apache Kafka: fetched once per version by Maven, kept outside the repository."""

import fcntl
import os
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

from tests.support.brokers.broker import BrokerError

POM = Path(__file__).with_name("pom.xml")
DOWNLOAD_TIMEOUT_S = 600


def kafka_version() -> str:
    """The version that pom.xml names."""
    version = ET.parse(POM).getroot().findtext(".//{*}kafka.version")
    if version is None:
        raise BrokerError(f"{POM.name} names no kafka.version")
    return version


def kafka_jars() -> Path:
    """The folder with the jars, filled first where it is not there yet.

    Raises:
        BrokerError: There is no Maven, or it could not fetch them.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "batchsum"
    jars = home / f"kafka-{kafka_version()}"
    if jars.is_dir():
        return jars
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of two runs that start together, one downloads and the other finds it done
        if not jars.is_dir():
            _download(jars)
    return jars


def _download(jars: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerError("no Maven (mvn) to fetch Apache Kafka with")
    with tempfile.TemporaryDirectory(dir=jars.parent) as folder:
        fetched = Path(folder, "jars")
        run = subprocess.run(
            [
                maven,
                *("--quiet", "--batch-mode", "--file", str(POM)),
                "dependency:copy-dependencies",
                "-DincludeScope=runtime",
                f"-DoutputDirectory={fetched}",
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_TIMEOUT_S,
            check=False,
        )
        if run.returncode != 0:
            raise BrokerError(f"Maven could not fetch Apache Kafka: {run.stdout.strip()[-500:]}")
        fetched.rename(jars)  # at once and whole, or not at all
