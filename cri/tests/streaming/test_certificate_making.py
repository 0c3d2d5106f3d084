"""Made certificates: for loopback and this host, private, and never over what is there."""

import stat
from pathlib import Path

import pytest
from cryptography import x509

from cri.streaming.certificate_making import generate_certificate
from runtime.errors import InvalidArgument


def test_certificate_is_for_loopback_and_the_key_for_its_owner(tmp_path: Path) -> None:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    generate_certificate(certificate, key)
    made = x509.load_pem_x509_certificate(certificate.read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_files_that_exist_are_not_replaced(tmp_path: Path) -> None:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    key.write_text("mine")
    with pytest.raises(InvalidArgument, match="cannot be generated"):
        generate_certificate(certificate, key)
    assert key.read_text() == "mine"
