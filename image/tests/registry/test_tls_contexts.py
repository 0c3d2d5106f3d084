"""TLS settings of hosts.toml become contexts, and mistakes in them are told by file."""

import ssl
from pathlib import Path

import pytest

from image.errors import InvalidArgument
from image.protocol.hosts_file import DEFAULT_TLS, TlsRules
from image.registry.tls_contexts import TlsContexts
from image.tests.fakes.fake_registry.certificates import make_certificate


async def test_default_checks_everything_and_is_made_once() -> None:
    contexts = TlsContexts()
    context = await contexts.context_for(DEFAULT_TLS)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert await contexts.context_for(TlsRules()) is context


async def test_changed_file_makes_a_new_context(tmp_path: Path) -> None:
    file = make_certificate(tmp_path)
    rules = TlsRules(ca=(str(file),), client=((str(file), str(file)), (str(file), "")))
    contexts = TlsContexts()
    first = await contexts.context_for(rules)
    assert await contexts.context_for(rules) is first
    make_certificate(tmp_path)
    assert await contexts.context_for(rules) is not first


async def test_check_is_dropped_only_when_it_is_said() -> None:
    context = await TlsContexts().context_for(TlsRules(skip_verify=True))
    assert context.verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize("place", ["ca", "client"])
async def test_missing_or_broken_file_is_named(tmp_path: Path, place: str) -> None:
    missing, broken = tmp_path / "missing.pem", tmp_path / "broken.pem"
    broken.write_text("no certificate")
    for file in (missing, broken):
        name = str(file)
        rules = TlsRules(ca=(name,)) if place == "ca" else TlsRules(client=((name, ""),))
        with pytest.raises(InvalidArgument, match="cannot be used") as caught:
            await TlsContexts().context_for(rules)
        assert name in caught.value.subject


async def test_encrypted_key_is_refused_without_asking_the_terminal(tmp_path: Path) -> None:
    file = make_certificate(tmp_path, password=b"secret")
    with pytest.raises(InvalidArgument, match="cannot be used"):
        await TlsContexts().context_for(TlsRules(client=((str(file), ""),)))


async def test_number_of_contexts_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("image.registry.tls_contexts._MAX_CONTEXTS", 1)
    contexts = TlsContexts()
    first = await contexts.context_for(DEFAULT_TLS)
    await contexts.context_for(TlsRules(skip_verify=True))
    assert await contexts.context_for(DEFAULT_TLS) is not first
