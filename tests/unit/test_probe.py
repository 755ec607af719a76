"""The probe of the image: it tells a fresh heartbeat from an old one, and needs next to nothing for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from consumer.probe import FRESH_S

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"


@pytest.fixture
def heartbeat(tmp_path: Path) -> Path:
    file = tmp_path / "heartbeat"
    file.touch()
    return file


def probe(heartbeat: Path | None) -> tuple[int, str]:
    """Its exit code, and what it says; -I and -S keep everything away that is not Python's own."""
    run = subprocess.run(
        [sys.executable, "-S", "-m", "consumer.probe"],
        env={"BATCHSUM_HEARTBEAT_FILE": str(heartbeat)} if heartbeat else {},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stderr


def test_a_fresh_heartbeat_is_a_healthy_instance(heartbeat: Path) -> None:
    assert probe(heartbeat) == (0, "")


def test_an_old_heartbeat_is_not(heartbeat: Path) -> None:
    old = heartbeat.stat().st_mtime - FRESH_S - 60
    os.utime(heartbeat, (old, old))
    exit_code, said = probe(heartbeat)
    assert exit_code == 1
    assert said.startswith("the last heartbeat was ")


@pytest.mark.parametrize("name", ["nowhere", None])
def test_no_heartbeat_is_not_either(tmp_path: Path, name: str | None) -> None:
    exit_code, said = probe(tmp_path / name if name else None)
    assert exit_code == 1
    assert "No such file" in said or "is not set" in said


def test_the_image_runs_no_shell() -> None:
    """Each command that it runs is in the exec form, a list of words."""
    stage = DOCKERFILE.read_text("utf-8").rpartition("FROM ")[2]
    commands = [
        line.split(maxsplit=1)[1] for line in stage.splitlines() if line.lstrip().startswith(("CMD", "ENTRYPOINT"))
    ]
    assert len(commands) == 3
    assert all(command.startswith('["') for command in commands)
