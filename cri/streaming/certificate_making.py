"""Makes a self-signed certificate for the streaming server: P-256, ten years, for this host's names and loopback.

Never replaces a file. Imports cryptography, so it is imported only when a certificate has to be made.
"""

import datetime as dt
import ipaddress
import os
import socket
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from runtime.errors import InvalidArgument

_LIFE = dt.timedelta(days=3650)
_CLOCK_SKEW = dt.timedelta(days=1)


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
