"""TLS settings as OpenSSL contexts, made once per set of files and made again when a file changes, unless learnt.

Files are read in a thread. Never weakens the check of a certificate unless hosts.toml says `skip_verify`.
"""

import asyncio
import ssl
from pathlib import Path

from image.errors import InvalidArgument
from image.protocol.hosts_file import TlsRules

_MAX_CONTEXTS = 64


class TlsContexts:
    """Cache of contexts; a context holds about 200 KB of system certificates and takes 20 ms to make."""

    def __init__(self) -> None:
        self._contexts: dict[tuple[TlsRules, tuple[int, ...]], ssl.SSLContext] = {}
        self._learnt: dict[TlsRules, ssl.SSLContext | InvalidArgument] = {}

    async def learn(self, rules: TlsRules) -> None:
        """Read the files of `rules` now, and for the last time; a mistake in them is told by `context_for`."""
        try:
            self._learnt[rules] = await self.context_for(rules)
        except InvalidArgument as error:
            self._learnt[rules] = error

    async def context_for(self, rules: TlsRules) -> ssl.SSLContext:
        """Give the context of `rules`.

        Raises:
            InvalidArgument: a certificate or key file is missing or unusable.
        """
        learnt = self._learnt.get(rules)
        if isinstance(learnt, InvalidArgument):
            raise learnt
        if learnt is not None:
            return learnt
        key = (rules, await asyncio.to_thread(_file_times, rules))
        context = self._contexts.get(key)
        if context is None:
            context = await asyncio.to_thread(_make_context, rules)
            if len(self._contexts) >= _MAX_CONTEXTS:
                self._contexts.clear()
            self._contexts[key] = context
        return context


def _files_of(rules: TlsRules) -> list[str]:
    pairs = [name for pair in rules.client for name in pair if name]
    return [*rules.ca, *pairs]


def _file_times(rules: TlsRules) -> tuple[int, ...]:
    times = []
    for name in _files_of(rules):
        try:
            times.append(Path(name).stat().st_mtime_ns)
        except OSError as error:
            raise _unusable(name, error) from error
    return tuple(times)


def _make_context(rules: TlsRules) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996 retired what is older
    for name in rules.ca:
        try:
            context.load_verify_locations(cafile=name)
        except OSError as error:  # ssl.SSLError is one
            raise _unusable(name, error) from error
    for certificate, key in rules.client:
        try:
            context.load_cert_chain(certificate, key or None, password=_no_password)
        except OSError as error:
            raise _unusable(certificate, error) from error
    if rules.skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _no_password() -> str:
    """Answer OpenSSL, which would otherwise ask on the terminal for the password of an encrypted key."""
    return ""


def _unusable(name: str, error: OSError) -> InvalidArgument:
    return InvalidArgument(
        f"certificate file {name}",
        f"cannot be used: {error.strerror or error}",
        remedy="correct the path in hosts.toml, or the file",
        reason="InvalidHostsFile",
    )
