"""What runs on Java: the Kafka Streams peer, compiled when it is new, and Kafka's own performance tools."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.brokers.jars import kafka_jars, kafka_version
from tests.support.brokers.node import java

SOURCES = Path(__file__).parent / "peers" / "kafka_streams"
BUILD_TIMEOUT_S = 600
HEAP = "-Xmx1g"


def streams_command() -> list[str]:
    """How the Kafka Streams peer is started."""
    home = _compiled()
    return [
        java() or "java",
        HEAP,
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        f"{home}/classes:{home}/jars/*",
        "Peer",
    ]


def tool_command(name: str) -> list[str]:
    """How one of Kafka's own tools is started."""
    return [java() or "java", HEAP, "-cp", f"{kafka_jars()}/*", f"org.apache.kafka.tools.{name}"]


def _compiled() -> Path:
    """The folder with the peer's jars and classes; another one for every change of its sources."""
    sources = [SOURCES / "pom.xml", SOURCES / "Peer.java"]
    version = f"-Dkafka.version={kafka_version()}"  # the broker's, whichever the pom names
    parts = [version.encode(), *(source.read_bytes() for source in sources)]
    digest = hashlib.sha256(b"".join(parts)).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "batchsum"
    home = cache / f"kafka-streams-peer-{digest}"
    if not home.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            built = Path(folder, "built")
            _run(
                [
                    *("mvn", "--quiet", "--batch-mode", version, "--file", str(SOURCES / "pom.xml")),
                    *("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={built}/jars"),
                ]
            )
            _run(["javac", "-d", f"{built}/classes", "-cp", f"{built}/jars/*", str(SOURCES / "Peer.java")])
            built.rename(home)  # at once and whole, or not at all
    return home


def _run(command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        raise RuntimeError(f"{command[0]} is needed for the Kafka Streams peer")
    run = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False
    )
    if run.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {(run.stdout + run.stderr)[-2_000:]}")
