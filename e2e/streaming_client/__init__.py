"""A client of streaming URLs on k8s.io/client-go (main.go), built once per version of its sources, and how to ask for URLs.

Only drives the client; what must come of it stands in the tests.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from e2e.tool_paths import MissingTool, cache_directory

SOURCES = Path(__file__).parent
TRANSPORTS = ("spdy", "websocket")


def built_client() -> Path:
    """Return the program, building it if its sources are newer than any build.

    Raises:
        MissingTool: there is no Go compiler, or it cannot build the sources.
    """
    digest = hashlib.sha256()
    for name in ("main.go", "go.mod", "go.sum"):
        digest.update((SOURCES / name).read_bytes())
    directory = cache_directory() / "go" / f"streaming-client-{digest.hexdigest()[:12]}"
    program = directory / "streaming_client"
    if program.is_file():
        return program
    directory.mkdir(parents=True, exist_ok=True)
    fresh = directory / f"new.{os.getpid()}"
    command = ["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", str(fresh), "."]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
    try:
        done = subprocess.run(
            command, cwd=SOURCES, env=environment, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise MissingTool("go is not on PATH; install Go 1.26 or later") from error
    if done.returncode != 0:
        raise MissingTool(f"the streaming client cannot be built:\n{done.stderr}")
    fresh.rename(program)
    return program


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one URL gave."""

    code: int
    error: str
    stdout_bytes: int
    stdout_sha256: str
    stderr_bytes: int
    sent_sha256: str
    milliseconds: float


def run_reports(urls: list[str], *flags: str, timeout: float = 300) -> list[Report]:
    """Run all URLs at the same time with generated and hashed streams."""
    command = [str(built_client()), "command", "-report", *flags, *urls]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
    assert done.returncode == 0, done.stderr
    return [_report(line) for line in done.stdout.splitlines()]


def _report(line: str) -> Report:
    value = json.loads(line)
    return Report(
        code=int(value["code"]),
        error=str(value.get("error", "")),
        stdout_bytes=int(value["stdout_bytes"]),
        stdout_sha256=str(value["stdout_sha256"]),
        stderr_bytes=int(value["stderr_bytes"]),
        sent_sha256=str(value["sent_sha256"]),
        milliseconds=float(value["milliseconds"]),
    )
