"""Finds and reads the rules of a registry, for every pull anew: changing a mirror needs no restart.

The first directory that exists decides, as with containerd: its hosts.toml, or without one (or with an empty one)
Docker's certificate files beside it.

Reads files only below the configured directory, in a thread; never writes. What was learnt is not read again.
"""

import asyncio
import os
from pathlib import Path

from image.errors import InvalidArgument
from image.model.reference import Reference
from image.protocol.certificate_files import rules_of_certificates
from image.protocol.hosts_file import MAX_FILE_BYTES, HostRules, parse_hosts_file
from image.protocol.mirror_rules import Endpoint, endpoints_for, rule_directories

_FILE_NAME = "hosts.toml"


class HostRulesReader:
    """The certs.d directory of this node."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[str, HostRules | None] = {}

    async def learn(self, reference: Reference) -> None:
        """Read now, and for the last time, what the registry of `reference` has.

        Raises:
            InvalidArgument: the file has an error; says where.
        """
        self._known[reference.domain] = await asyncio.to_thread(self._read, reference.domain)

    async def endpoints_of(self, reference: Reference) -> tuple[Endpoint, ...]:
        """List the endpoints of `reference`, mirrors first.

        Raises:
            InvalidArgument: the file has an error; says where.
        """
        if reference.domain not in self._known:
            return endpoints_for(reference, await asyncio.to_thread(self._read, reference.domain))
        return endpoints_for(reference, self._known[reference.domain])

    def _read(self, domain: str) -> HostRules | None:
        for name in rule_directories(domain):
            directory = self._directory / name
            try:
                names = os.listdir(directory)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise _unusable(directory, f"cannot be read: {error.strerror}") from error
            path = directory / _FILE_NAME
            raw = _content(path) if _FILE_NAME in names else b""
            if raw:
                return parse_hosts_file(_decode(path, raw), path=str(path))
            return rules_of_certificates(str(directory), names)
        return None


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror}") from error
    if len(raw) > MAX_FILE_BYTES:
        raise _unusable(path, f"is larger than {MAX_FILE_BYTES} bytes")
    return raw


def _decode(path: Path, raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise _unusable(path, "is not UTF-8") from error


def _unusable(path: Path, cause: str) -> InvalidArgument:
    return InvalidArgument(
        str(path), cause, remedy="correct the file, or remove it", reason="InvalidHostsFile"
    )
