"""The demo's private daemon: started like any other, stopped by SIGTERM, its last words kept for the error."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc

from cri.command.demo.surroundings import Surroundings

_READY_SECONDS = 20.0
_STOP_SECONDS = 20.0


class DaemonFailed(Exception):
    """The private daemon did not start, or ended; the message has its last lines."""


@contextmanager
def running(place: Surroundings) -> Iterator[grpc.Channel]:
    """Run the daemon; yields a channel to its socket once it answers."""
    log_path = place.directory / "daemon.log"
    argv = [sys.executable, "-m", "cri", "serve", "--config", str(place.directory / "config.toml")]
    with log_path.open("wb") as log:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _wait_for_socket(place, process, log_path)
        # Made once the socket is there: a channel that was refused waits a second before it tries again.
        channel = grpc.insecure_channel(place.address)
        try:
            grpc.channel_ready_future(channel).result(timeout=_READY_SECONDS)
            yield channel
        except grpc.FutureTimeoutError:
            raise DaemonFailed(f"the daemon does not answer: {last_lines(log_path)}") from None
        finally:
            channel.close()
    finally:
        _stop(process)


def _wait_for_socket(
    place: Surroundings, process: "subprocess.Popen[bytes]", log_path: Path
) -> None:
    end = time.monotonic() + _READY_SECONDS
    socket = Path(place.address.removeprefix("unix://"))
    while not socket.exists():
        if process.poll() is not None:
            raise DaemonFailed(
                f"the daemon ended with {process.returncode}: {last_lines(log_path)}"
            )
        if time.monotonic() > end:
            raise DaemonFailed(
                f"the daemon made no socket in {_READY_SECONDS:.0f} s: {last_lines(log_path)}"
            )
        time.sleep(0.005)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def last_lines(log_path: Path, count: int = 5) -> str:
    """Return the end of the daemon's log in one line."""
    lines = log_path.read_text(errors="replace").splitlines() if log_path.exists() else []
    return " | ".join(lines[-count:]) or "it wrote nothing"
