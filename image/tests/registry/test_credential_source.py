"""The request's credentials win over the node's, and each goes to its own host alone."""

import json
from pathlib import Path

import pytest

from image.errors import InvalidArgument, PermissionDenied, Unavailable
from image.model.platform import parse_platform
from image.model.records import RegistryAuth
from image.model.reference import parse_reference
from image.protocol.endpoint_outcome import EndpointFailure
from image.protocol.mirror_rules import Endpoint
from image.registry import credential_source
from image.registry.client import RegistryClient
from image.registry.credential_source import CredentialSource, FoundCredential, NodeCredentials
from image.registry.credentials import Credential
from image.registry.node_knowledge import NodeKnowledge
from image.tests.fakes.fake_registry import FakeRegistry, layer_of
from image.tests.registry.conftest import NO_PAUSE, WriteHosts

ORIGIN = Endpoint(url="https://r.test/v2", is_origin=True, gets_credentials=True)
MIRROR = Endpoint(url="https://m.test/v2", is_origin=False, is_written=True)
REFERENCE = parse_reference("r.test/team/app:1")
LOGIN = Credential(username="u", password="p")


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Stand in for helper programs; give what they were asked."""
    seen: list[tuple[str, str]] = []

    async def ask(name: str, server: str) -> RegistryAuth | None:
        seen.append((name, server))
        if name == "broken":
            raise Unavailable(name, "did not answer")
        return RegistryAuth(username=f"{name}-user", password="p") if name != "empty" else None

    monkeypatch.setattr(credential_source, "ask_helper", ask)
    return seen


def source(
    tmp_path: Path, document: object = None, auth: RegistryAuth | None = None
) -> CredentialSource:
    path = ""
    if document is not None:
        path = str(tmp_path / "config.json")
        Path(path).write_text(json.dumps(document))
    return CredentialSource(NodeCredentials(path), REFERENCE, auth)


async def test_nothing_known_means_anonymous(tmp_path: Path) -> None:
    assert await source(tmp_path).find(ORIGIN) == FoundCredential()
    assert await source(tmp_path, {}).find(ORIGIN) == FoundCredential()


async def test_request_wins_and_keeps_its_rules(tmp_path: Path) -> None:
    document = {"auths": {"m.test": {"username": "m", "password": "p"}}}
    mine = source(tmp_path, document, RegistryAuth(username="u", password="p"))
    assert await mine.find(ORIGIN) == FoundCredential(credential=LOGIN, source="request")
    assert await mine.find(MIRROR) == FoundCredential()


async def test_each_host_gets_its_own_entry(tmp_path: Path) -> None:
    auths = {
        "r.test": {"username": "u", "password": "p"},
        "m.test": {"username": "m", "password": "p"},
    }
    mine = source(tmp_path, {"auths": auths})
    assert await mine.credential_of(ORIGIN) == LOGIN
    assert await mine.credential_of(MIRROR) == Credential(username="m", password="p")
    third = Endpoint(url="https://n.test/v2", is_origin=False, is_written=True)
    assert await mine.credential_of(third) is None
    assert "p" not in repr(await mine.find(ORIGIN)).replace("repr", "").partition("source")[0]


async def test_mirror_that_may_have_credentials_gets_the_registrys(tmp_path: Path) -> None:
    trusted = Endpoint(
        url="https://m.test/v2", is_origin=False, gets_credentials=True, is_written=True
    )
    mine = source(tmp_path, {"auths": {"r.test": {"username": "u", "password": "p"}}})
    assert await mine.credential_of(trusted) == LOGIN


@pytest.mark.parametrize(
    "endpoint",
    [
        Endpoint(url="http://r.test/v2", is_origin=True),
        Endpoint(url="https://r.test/blob", is_origin=False, is_foreign=True),
    ],
)
async def test_plain_http_that_nobody_wrote_and_foreign_urls_get_none(
    tmp_path: Path, endpoint: Endpoint
) -> None:
    mine = source(tmp_path, {"auths": {"r.test": {"username": "u", "password": "p"}}})
    assert await mine.credential_of(endpoint) is None


async def test_helper_of_the_host_is_asked_once(
    tmp_path: Path, asked: list[tuple[str, str]]
) -> None:
    endpoint = Endpoint(url="https://r.test/v2", is_origin=True, credential_helper="own")
    mine = source(tmp_path, {"credsStore": "store"})
    for _ in range(2):
        found = await mine.find(endpoint)
        assert found.credential == Credential(username="own-user", password="p")
        assert found.source == "credential_helper own"
    assert asked == [("own", "r.test")]


async def test_store_is_asked_for_hosts_without_an_entry(
    tmp_path: Path, asked: list[tuple[str, str]]
) -> None:
    found = await source(tmp_path, {"credsStore": "store"}).find(ORIGIN)
    assert found.source == "credsStore"
    assert asked == [("store", "r.test")]
    assert await source(tmp_path, {"credsStore": "empty"}).find(ORIGIN) == FoundCredential()


async def test_broken_helper_fails_its_endpoint(tmp_path: Path) -> None:
    with pytest.raises(EndpointFailure, match="broken did not answer"):
        await source(tmp_path, {"credHelpers": {"r.test": "broken"}}).find(ORIGIN)


async def test_missing_file_is_told(tmp_path: Path) -> None:
    mine = CredentialSource(NodeCredentials(str(tmp_path / "absent")), REFERENCE, None)
    with pytest.raises(InvalidArgument, match="cannot be read: No such file"):
        await mine.find(ORIGIN)


async def test_private_registry_opens_by_config_json(
    tmp_path: Path, certs_d: Path, write_hosts: WriteHosts
) -> None:
    with FakeRegistry(auth="bearer", username="u", password="p") as registry:
        registry.push_image("team/app", "v1", layers=[layer_of({"a": b"1"})])
        write_hosts(registry.host, f'server = "{registry.url}"\n')
        path = tmp_path / "config.json"
        reference = parse_reference(f"{registry.host}/team/app:v1")
        platform = parse_platform("linux/amd64")
        for password, opens in (("p", True), ("wrong", False)):
            entry = {"username": "u", "password": password}
            path.write_text(json.dumps({"auths": {registry.host: entry}}))
            node = NodeKnowledge(registry_config_path=certs_d, docker_config_path=str(path))
            async with RegistryClient(node=node, retry=NO_PAUSE) as client:
                if opens:
                    await client.resolve(reference, platform=platform, auth=None)
                    continue
                with pytest.raises(PermissionDenied):
                    await client.resolve(reference, platform=platform, auth=None)


async def test_each_answer_says_why(tmp_path: Path) -> None:
    unset = CredentialSource(NodeCredentials(""), REFERENCE, None)
    assert "docker_config_path is not set" in (await unset.find(ORIGIN)).why
    empty = source(tmp_path, {})
    assert (await empty.find(ORIGIN)).why.endswith("has none for r.test")
    stored = source(tmp_path, {"auths": {"r.test": {"username": "u", "password": "p"}}})
    assert (await stored.find(ORIGIN)).why == f"from {tmp_path / 'config.json'}"
    helped = source(tmp_path, {"credsStore": "store"})
    assert (await helped.find(ORIGIN)).why.endswith("which names docker-credential-store")
    none = source(tmp_path, {"credsStore": "empty"})
    assert "docker-credential-empty knows none" in (await none.find(ORIGIN)).why
