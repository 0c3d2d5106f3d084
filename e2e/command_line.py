"""The `lading` command against one private daemon, as an operator types it."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass

from e2e.daemon import Lading, lading_command
from e2e.node import Node
from e2e.tool_paths import REPOSITORY


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


class CommandLine:
    """Runs verbs against the admin socket of a node's daemon."""

    def __init__(self, node: Node) -> None:
        """Remember where the daemon is."""
        assert isinstance(node.daemon, Lading)
        self.socket = str(node.daemon.admin_socket)
        self.environment = {**os.environ, "LADING_ADMIN": f"unix://{self.socket}"}

    def __call__(self, *words: str, code: int = 0) -> Said:
        """Run one command, which must end with the code."""
        done = subprocess.run(
            [*lading_command(), *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=REPOSITORY,
            env=self.environment,
            timeout=120,
        )
        said = Said(done.returncode, done.stdout, done.stderr)
        assert done.returncode == code, f"lading {' '.join(words)}: {said}"
        return said

    def json(self, *words: str, code: int = 0) -> dict[str, object]:
        """Return the JSON object that a command prints."""
        value = json.loads(self(*words, "--json", code=code).out)
        assert isinstance(value, dict)
        return value

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command and let it run."""
        return subprocess.Popen(
            [*lading_command(), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=REPOSITORY,
            env=self.environment,
        )

    def curl(self, path: str, *words: str) -> str:
        """Return what curl gets from the admin socket."""
        done = subprocess.run(
            ["curl", "-sS", "--unix-socket", self.socket, *words, f"http://lading{path}"],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout


def rows(answer: dict[str, object], key: str) -> list[dict[str, object]]:
    """Return a list of objects out of an answer."""
    found = answer[key]
    assert isinstance(found, list)
    return found
