"""Tells systemd how the daemon is: READY=1, STOPPING=1, a status line, WATCHDOG=1 (sd_notify(3)).

Does nothing without NOTIFY_SOCKET. Never raises: a daemon must not die because nobody listens.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Mapping

log = logging.getLogger(__name__)


class ServiceNotifier:
    """Sends state lines to the service manager that started this process."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        source = os.environ if environment is None else environment
        self._address = source.get("NOTIFY_SOCKET", "")
        self._watchdog_us = _watchdog_interval(source)

    @property
    def watchdog_seconds(self) -> float | None:
        """How often WATCHDOG=1 is due at the latest, None when nobody waits for it."""
        return self._watchdog_us / 1e6 if self._address and self._watchdog_us else None

    def ready(self, status: str) -> None:
        """Say that requests are answered now."""
        self._send(f"READY=1\nSTATUS={status}")

    def stopping(self) -> None:
        """Say that the daemon is on its way out."""
        self._send("STOPPING=1\nSTATUS=finishing what runs")

    async def feed_watchdog(self) -> None:
        """Send WATCHDOG=1 at half the interval, for ever: a loop that hangs does not, and systemd restarts us."""
        interval = self.watchdog_seconds
        while interval is not None:
            self._send("WATCHDOG=1")
            await asyncio.sleep(interval / 2)

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # "@" stands for the NUL byte of the abstract namespace (sd_notify(3)).
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.setblocking(False)
                channel.sendto(message.encode(), address)
        except OSError as error:
            log.warning("the service manager was not told %r: %s", message, error)


def _watchdog_interval(environment: Mapping[str, str]) -> int:
    wanted = environment.get("WATCHDOG_USEC", "")
    process = environment.get("WATCHDOG_PID", "")
    if not wanted.isdecimal() or (process and process != str(os.getpid())):
        return 0
    return int(wanted)
