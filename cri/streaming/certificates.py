"""The server's TLS certificate: the operator's own, or one that is generated where the settings point to.

Files that do not exist are made once (P-256, ten years, for this host's names and loopback), so that an operator can
give the certificate to whoever must trust it. Changed files are read again for connections that come after; a broken
pair is logged and the old one stays.
"""

import datetime as dt
import ipaddress
import logging
import os
import socket
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from runtime.errors import InvalidArgument

log = logging.getLogger(__name__)

_LIFE = dt.timedelta(days=3650)
_CLOCK_SKEW = dt.timedelta(days=1)
_Version = tuple[tuple[int, int, int], ...]


class ServerCertificate:
    """A TLS context that follows its files."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        if not certificate.exists() and not key.exists():
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


def generate_certificate(certificate: Path, key: Path) -> None:
    """Make a self-signed pair; the key is for its owner alone.

    Raises:
        InvalidArgument: the files cannot be written.
    """
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lading streaming server")])
    now = dt.datetime.now(dt.UTC)
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.DNSName(socket.gethostname()),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = private.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        _write_new(key, secret)
        _write_new(certificate, made.public_bytes(pem))
    except OSError as error:
        raise InvalidArgument(
            "setting streaming.tls_cert",
            f"a certificate cannot be generated at {error.filename}: {error.strerror}",
            remedy="name files in an existing directory, or existing files",
            reason="BadCertificate",
        ) from error


def _write_new(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
