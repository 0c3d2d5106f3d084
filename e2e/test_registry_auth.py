"""Private registries: Debian's docker-registry over TLS, with passwords and with tokens."""

from __future__ import annotations

import base64
import json
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest

from cri.api import api_pb2
from e2e.cri_client import Client
from e2e.daemon import Lading
from e2e.guarded_registry import PASSWORD, USER, TokenServer, guarded_registry, token_server
from e2e.images.catalogue import NamedImage
from e2e.images.image import Settings, publish
from e2e.images.layer import build_layer, regular
from e2e.node import refused
from e2e.session import Session
from image.tests.fakes.fake_registry.certificates import make_certificate

NAME = "any.invalid/team/app:1"
PAIR = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class Place:
    """A daemon, a guarded registry, and config.json of the node."""

    def __init__(self, daemon: Lading, client: Client, config: Path) -> None:
        self.daemon = daemon
        self.client = client
        self.config = config
        self.address = ""
        self.tokens: TokenServer | None = None

    def pull(self, **auth: str) -> str:
        """Pull the image and remove it again; give its id."""
        spec = api_pb2.ImageSpec(image=f"{self.address}/team/app:1")
        request = api_pb2.PullImageRequest(image=spec)
        if auth:
            request.auth.CopyFrom(api_pb2.AuthConfig(**auth))
        image_id: str = self.client.image.PullImage(request, timeout=60).image_ref
        removal = api_pb2.RemoveImageRequest(image=api_pb2.ImageSpec(image=image_id))
        self.client.image.RemoveImage(removal, timeout=30)
        return image_id


@pytest.fixture(scope="module")
def daemon(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    config = tmp_path_factory.mktemp("docker") / "config.json"
    config.write_text("{}")
    daemon = Lading(session.workspace, session.network, session.registry.rules, instance="auth")
    daemon.section("image")["docker_config_path"] = str(config)
    daemon.start()
    client = daemon.client()
    yield Place(daemon, client, config)
    client.close()
    daemon.stop()
    assert PASSWORD not in daemon.log.read_text()


@pytest.fixture(params=["password", "token"])
def place(
    request: pytest.FixtureRequest, daemon: Place, session: Session, tmp_path: Path
) -> Iterator[Place]:
    layer = build_layer([regular("word", b"1")])
    images = [NamedImage(references=(NAME,), image=publish(Settings(command=("sh",)), [layer]))]
    rules = session.registry.rules
    daemon.config.write_text("{}")
    certificate = make_certificate(tmp_path)
    with ExitStack() as stack:
        daemon.tokens = None
        if request.param == "token":
            daemon.tokens = stack.enter_context(token_server(certificate))
        guarded = guarded_registry(tmp_path / "registry", rules, images, certificate, daemon.tokens)
        daemon.address = stack.enter_context(guarded)
        yield daemon


def test_pull_secret_opens_the_registry_in_every_form(place: Place) -> None:
    first = place.pull(username=USER, password=PASSWORD)
    assert place.pull(auth=PAIR) == first
    assert place.pull(auth=PAIR, server_address=f"https://{place.address}/v2/") == first


def test_config_json_of_the_node_opens_it_without_a_secret(place: Place) -> None:
    place.config.write_text(json.dumps({"auths": {place.address: {"auth": PAIR}}}))
    assert place.pull()


def test_certificate_in_the_layout_of_docker_is_enough(place: Place, session: Session) -> None:
    folder = session.registry.rules / place.address
    certificate = Path(tomllib.loads((folder / "hosts.toml").read_text())["ca"])
    (folder / "hosts.toml").unlink()
    (folder / "ca.crt").write_bytes(certificate.read_bytes())
    assert place.pull(username=USER, password=PASSWORD)


@pytest.mark.parametrize(
    "auth",
    [
        {},
        {"username": USER, "password": "wrong"},
        {"auth": PAIR, "server_address": "elsewhere.invalid"},
    ],
    ids=["nobody", "wrong password", "for another server"],
)
def test_others_are_refused_and_no_secret_is_told(place: Place, auth: dict[str, str]) -> None:
    with refused(grpc.StatusCode.UNKNOWN, says="refused access"):
        place.pull(**auth)
    log = place.daemon.log.read_text()
    assert PASSWORD not in log
    assert PAIR not in log


def test_password_goes_to_the_token_server_alone(place: Place) -> None:
    place.pull(username=USER, password=PASSWORD)
    if place.tokens is not None:
        assert set(place.tokens.asked) == {(USER, "repository:team/app:pull")}
