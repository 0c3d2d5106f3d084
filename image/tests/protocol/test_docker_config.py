"""Docker's config.json tells for each host where its credentials are."""

import base64
import json

import pytest

from image.errors import InvalidArgument
from image.model.records import RegistryAuth
from image.protocol.docker_config import (
    HUB_SERVER,
    DockerConfig,
    StoredCredential,
    parse_docker_config,
)


def parse(document: object) -> DockerConfig:
    return parse_docker_config(json.dumps(document).encode(), path="/c/config.json")


PAIR = base64.b64encode(b"u:S3CR3T").decode()


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("r.test", "r.test"),
        ("https://r.test/", "r.test"),
        ("https://r.test/v2/", "r.test:443"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("r.test:5000", "r.test:5000"),
        ("r.test/team", "r.test"),
        ("r.test/team/app", "r.test"),
    ],
)
def test_stored_pair_is_found_by_host(key: str, host: str) -> None:
    found = parse({"auths": {key: {"auth": PAIR}}}).find(host, "team/app")
    assert found == StoredCredential(auth=RegistryAuth(auth=PAIR), source="auths")
    assert "S3CR3T" not in repr(found)
    assert PAIR not in repr(found)


@pytest.mark.parametrize("key", ["s.test", "r.test:5000", "r.test/te", "r.test/team/app/x"])
def test_pair_of_another_place_is_not_taken(key: str) -> None:
    assert parse({"auths": {key: {"auth": PAIR}}}).find("r.test", "team/app") is None


def test_longest_key_wins() -> None:
    config = parse(
        {"auths": {"r.test/team": {"username": "b"}, "r.test": {"username": "a"}, "x": {}}}
    )
    found = config.find("r.test", "team/app")
    assert found is not None
    assert found.auth == RegistryAuth(username="b")


def test_tokens_are_read() -> None:
    entry = {"identitytoken": "i", "registrytoken": "r", "username": "u", "password": "p"}
    found = parse({"auths": {"r.test": entry}}).find("r.test", "x")
    assert found is not None
    assert found.auth == RegistryAuth(
        identity_token="i", registry_token="r", username="u", password="p"
    )


def test_helper_of_the_host_wins_over_pair_and_store() -> None:
    config = parse(
        {
            "auths": {"r.test": {"auth": PAIR}, "s.test": None, "t.test": {}},
            "credHelpers": {"r.test": "ecr-login", "index.docker.io": "hub"},
            "credsStore": "pass",
        }
    )
    assert config.find("r.test", "x") == StoredCredential(
        helper="ecr-login", server="r.test", source="credHelpers"
    )
    for host in ("s.test", "t.test"):
        assert config.find(host, "x") == StoredCredential(
            helper="pass", server=host, source="credsStore"
        )
    hub = config.find("docker.io", "library/x")
    assert hub is not None
    assert (hub.helper, hub.server) == ("hub", HUB_SERVER)


def test_empty_file_knows_nobody() -> None:
    assert parse({}).find("r.test", "x") is None


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"auths": 1},
        {"auths": {"r.test": "S3CR3T"}},
        {"auths": {"r.test": {"auth": 1}}},
        {"credsStore": "../x"},
        {"credHelpers": {"r.test": "-x"}},
        {"credHelpers": {"r.test": 1}},
    ],
)
def test_other_forms_are_refused_without_values(document: object) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse(document)
    assert caught.value.reason == "InvalidDockerConfig"
    assert caught.value.subject.startswith("/c/config.json")
    assert "S3CR3T" not in str(caught.value)
