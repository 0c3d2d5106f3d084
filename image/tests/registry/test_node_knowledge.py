"""What was learnt of this node is not read again, and mistakes in it are told when they matter."""

import json
from pathlib import Path

import pytest

from image.errors import InvalidArgument, Unavailable
from image.model.records import RegistryAuth
from image.model.reference import parse_reference
from image.protocol.endpoint_outcome import EndpointFailure
from image.protocol.hosts_file import TlsRules
from image.registry import credential_source
from image.registry.credential_source import CredentialSource
from image.registry.node_knowledge import NodeKnowledge
from image.tests.fakes.fake_registry.certificates import make_certificate
from image.tests.registry.conftest import WriteHosts

REFERENCE = parse_reference("r.test/team/app:1")


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand in for helper programs; give who was asked."""
    seen: list[str] = []

    async def ask(name: str, _server: str) -> RegistryAuth:
        seen.append(name)
        if name == "broken":
            raise Unavailable(name, "did not answer")
        return RegistryAuth(username=name, password="p")

    monkeypatch.setattr(credential_source, "ask_helper", ask)
    return seen


async def test_nothing_is_read_or_asked_after_learning(
    certs_d: Path, write_hosts: WriteHosts, tmp_path: Path, asked: list[str]
) -> None:
    certificate = make_certificate(tmp_path)
    write_hosts(
        "r.test", f'server = "https://r.test"\nca = "{certificate}"\n[host."https://m.test"]\n'
    )
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"credHelpers": {"r.test": "mine"}}))
    node = NodeKnowledge(registry_config_path=certs_d, docker_config_path=str(config))
    await node.learn(REFERENCE, None)
    assert asked == ["mine"]
    for path in (certificate, config, certs_d / "r.test" / "hosts.toml"):
        path.unlink()
    mirror, origin = await node.rules.endpoints_of(REFERENCE)
    assert (mirror.url, origin.url) == ("https://m.test/v2", "https://r.test/v2")
    for rules in (origin.tls, mirror.tls, TlsRules(ca=origin.tls.ca)):
        assert (await node.tls.context_for(rules)).check_hostname
    found = await CredentialSource(node.credentials, REFERENCE, None).find(origin)
    assert found.credential is not None
    assert asked == ["mine"]


async def test_a_bad_hosts_file_is_told_at_once(certs_d: Path, write_hosts: WriteHosts) -> None:
    write_hosts("r.test", "nonsense")
    with pytest.raises(InvalidArgument):
        await NodeKnowledge(registry_config_path=certs_d).learn(REFERENCE, None)


async def test_what_is_wrong_for_one_endpoint_is_told_when_it_is_asked(
    certs_d: Path, write_hosts: WriteHosts, tmp_path: Path
) -> None:
    write_hosts(
        "r.test",
        'server = "https://r.test"\n[host."https://m.test"]\nca = "/none.pem"\ncredential_helper = "broken"\n',
    )
    node = NodeKnowledge(registry_config_path=certs_d, docker_config_path=str(tmp_path / "absent"))
    await node.learn(REFERENCE, None)
    mirror, origin = await node.rules.endpoints_of(REFERENCE)
    source = CredentialSource(node.credentials, REFERENCE, None)
    with pytest.raises(InvalidArgument):
        await node.tls.context_for(mirror.tls)
    with pytest.raises(EndpointFailure, match="did not answer"):
        await source.find(mirror)
    with pytest.raises(InvalidArgument, match="absent"):
        await source.find(origin)
    assert (await node.tls.context_for(origin.tls)).check_hostname


async def test_credentials_of_the_request_ask_nobody(
    certs_d: Path, write_hosts: WriteHosts, asked: list[str]
) -> None:
    write_hosts("r.test", 'server = "http://r.test"\ncredential_helper = "broken"\n')
    node = NodeKnowledge(registry_config_path=certs_d, docker_config_path="/none")
    await node.learn(REFERENCE, RegistryAuth(username="u", password="p"))
    assert asked == []
