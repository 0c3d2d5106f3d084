"""Certificates: generated once, the operator's own, read again when changed."""

import logging
import shutil
import ssl
import stat
from pathlib import Path

import pytest

from cri.streaming.certificate_making import generate_certificate
from cri.streaming.certificates import ServerCertificate
from runtime.errors import InvalidArgument


def test_missing_files_are_made_and_the_key_is_private(tmp_path: Path) -> None:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    ServerCertificate(certificate, key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = certificate.read_bytes()
    trusting = ssl.create_default_context(cafile=str(certificate))
    assert trusting.get_ca_certs()
    ServerCertificate(certificate, key)
    assert certificate.read_bytes() == before


def shakes_hands(context: ssl.SSLContext) -> bool:
    """Tell whether a client gets a connection."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        context.wrap_bio(up, down, server_side=True),
        trusting.wrap_bio(down, up, server_side=False),
    ]
    for _ in range(4):
        for side in (*sides[1:], sides[0]):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return False
    return all(side.version() for side in sides)


def test_changed_files_are_read_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    served = ServerCertificate(certificate, key)
    served.follow()
    other = tmp_path / "other"
    other.mkdir()
    generate_certificate(other / "tls.crt", other / "tls.key")
    shutil.move(other / "tls.crt", certificate)
    with caplog.at_level(logging.INFO):
        served.follow()  # does not fit the key yet
        assert "the old one stays" in caplog.text
        assert shakes_hands(served.context)
        shutil.move(other / "tls.key", key)
        served.follow()
    assert "read again" in caplog.text
    assert shakes_hands(served.context)
    key.unlink()
    served.follow()


def test_unusable_files_are_refused(tmp_path: Path) -> None:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    certificate.write_text("no certificate")
    with pytest.raises(InvalidArgument, match="cannot be used"):
        ServerCertificate(certificate, key)
    with pytest.raises(InvalidArgument, match="cannot be generated"):
        ServerCertificate(tmp_path / "none" / "crt", tmp_path / "none" / "key")
