"""The server's TLS certificate: the operator's own, or one that is generated where the settings point to.

Files that do not exist are made once, so that an operator can give the certificate to whoever must trust it. Changed
files are read again for connections that come after; a broken pair is logged and the old one stays.
"""

import logging
import ssl
from pathlib import Path

from runtime.errors import InvalidArgument

log = logging.getLogger(__name__)

_Version = tuple[tuple[int, int, int], ...]


class ServerCertificate:
    """A TLS context that follows its files."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        if not certificate.exists() and not key.exists():
            # 60 ms and 3 MB of cryptography are for those alone who want a certificate made.
            from cri.streaming.certificate_making import generate_certificate

            generate_certificate(certificate, key)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])  # a client that got h2 could not upgrade
        self._version = self._look()
        try:
            self._load()
        except (OSError, ssl.SSLError) as error:
            raise InvalidArgument(
                "setting streaming.tls_cert",
                f"certificate and key cannot be used: {error.strerror or error}",
                remedy="name a PEM certificate and its unencrypted key",
                reason="BadCertificate",
            ) from error

    def follow(self) -> None:
        """Read the files again if they have changed."""
        version = self._look()
        if version == self._version:
            return
        self._version = version
        try:
            self._load()
        except (OSError, ssl.SSLError) as error:
            log.warning(
                "the new streaming certificate cannot be used, the old one stays: %s", error
            )
        else:
            log.info("streaming certificate read again")

    def _load(self) -> None:
        certificate, key = self._files
        # Tried first: a key that does not fit leaves a context with the new certificate and no key.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        self.context.load_cert_chain(certificate, key)

    def _look(self) -> _Version:
        found: list[tuple[int, int, int]] = []
        for path in self._files:
            try:
                status = path.stat()
            except OSError:
                continue
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
        return tuple(found)
