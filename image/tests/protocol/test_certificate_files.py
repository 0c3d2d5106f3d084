"""Certificates are told by the ends of their names, as Docker does."""

from image.protocol.certificate_files import rules_of_certificates
from image.protocol.hosts_file import HostRules, TlsRules


def test_authorities_and_pairs_are_found_by_name() -> None:
    names = ["z.crt", "a.crt", "two.cert", "one.cert", "one.key", "lone.key", "README", "x.pem"]
    rules = rules_of_certificates("/d", names)
    assert rules.hosts == ()
    assert rules.server.url == ""
    assert rules.server.tls == TlsRules(
        ca=("/d/a.crt", "/d/z.crt"),
        client=(("/d/one.cert", "/d/one.key"), ("/d/two.cert", "")),
    )


def test_directory_without_certificates_changes_nothing() -> None:
    assert rules_of_certificates("/d", ["notes.txt"]) == HostRules()
