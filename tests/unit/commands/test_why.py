"""`batchsum why` where there is nobody to ask."""

import os
import signal
import socket
import subprocess
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from consumer.cli import app


def why(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["why", *arguments])


def test_an_instance_that_does_not_answer_is_told_in_one_line() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        result = why("--url", f"http://127.0.0.1:{nobody.getsockname()[1]}")
    assert result.exit_code == 3
    assert result.stderr.count("\n") == 1
    assert "Connection refused" in result.stderr
    assert "--url" in result.stderr


@pytest.mark.parametrize("url", ["localhost", "ftp://localhost", "file:///etc/passwd", "http://[", ""])
def test_what_is_no_url_is_told_in_one_line(url: str) -> None:
    result = why("--url", url) if url else why("--url", " ")
    assert result.exit_code == 3
    assert result.stderr.count("\n") == 1


def test_a_process_that_is_not_there_is_told_in_one_line() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    result = why("--pid", str(ended.pid))
    assert (result.exit_code, result.stderr) == (2, f"there is no process {ended.pid}\n")


def test_a_process_that_would_die_of_the_question_is_not_asked() -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        try:
            result = why("--pid", str(stranger.pid))
            assert stranger.poll() is None
        finally:
            stranger.kill()
    assert result.exit_code == 2
    assert "no instance of batchsum" in result.stderr


def test_a_process_that_is_asked_prints_for_itself() -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        result = why("--pid", str(os.getpid()))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "standard error" in result.stderr


def test_a_process_id_does_not_go_with_what_it_cannot_do() -> None:
    assert why("--pid", "77", "--json").exit_code == 2
