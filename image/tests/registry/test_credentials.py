"""Credentials go to whom they are for, in the form that HTTP has for them."""

import base64

import pytest

from image.errors import InvalidArgument
from image.model.records import RegistryAuth
from image.model.reference import parse_reference
from image.protocol.mirror_rules import Endpoint
from image.registry.credentials import Credential, basic_header, credential_for

ORIGIN = Endpoint(url="https://a.test:5000/v2", is_origin=True, gets_credentials=True)
MIRROR = Endpoint(url="https://m.test/v2", is_origin=False)
REFERENCE = parse_reference("a.test:5000/x")
USER = Credential(username="u", password="p")


def given(endpoint: Endpoint = ORIGIN, **fields: str) -> Credential | None:
    return credential_for(RegistryAuth(**fields), endpoint, REFERENCE)


def test_no_credentials_mean_an_anonymous_request() -> None:
    assert credential_for(None, ORIGIN, REFERENCE) is None
    assert given() is None


def test_pair_is_read_in_both_forms() -> None:
    assert given(username="u", password="p") == USER
    assert given(auth=base64.b64encode(b"u:p\x00\x00").decode()) == USER
    assert given(auth=base64.b64encode("ü:p:q".encode()).decode()) == Credential(
        username="ü", password="p:q"
    )
    assert basic_header(USER) == "Basic dTpw"


@pytest.mark.parametrize(
    "address", ["", "a.test:5000", "https://a.test:5000/v1/", "http://A.TEST:5000"]
)
def test_address_of_this_registry_allows_its_origin_only(address: str) -> None:
    assert given(username="u", password="p", server_address=address) == USER
    assert given(MIRROR, username="u", password="p", server_address=address) is None


@pytest.mark.parametrize("address", ["b.test", "https://a.test", "https://a.test:5001"])
def test_security_c1_address_of_another_server_keeps_the_secret_here(address: str) -> None:
    assert given(username="u", password="p", server_address=address) is None


def test_address_of_a_mirror_gives_it_to_that_mirror_over_https() -> None:
    assert given(MIRROR, username="u", password="p", server_address="m.test") == USER
    plain = Endpoint(url="http://m.test/v2", is_origin=False)
    assert given(plain, username="u", password="p", server_address="m.test") is None


def test_all_names_of_docker_hub_are_one() -> None:
    hub = Endpoint(url="https://registry-1.docker.io/v2", is_origin=True, gets_credentials=True)
    auth = RegistryAuth(username="u", password="p", server_address="https://index.docker.io/v1/")
    assert credential_for(auth, hub, parse_reference("busybox")) == USER


def test_security_c1_foreign_urls_never_get_any() -> None:
    foreign = Endpoint(
        url="https://a.test:5000/x", is_origin=False, is_foreign=True, gets_credentials=True
    )
    assert given(foreign, username="u", password="p") is None


@pytest.mark.parametrize(
    "fields",
    [
        {"auth": "%%%"},
        {"auth": "bm9jb2xvbg=="},
        {"auth": "//79"},
        {"username": "u:v", "password": "p"},
        {"username": "u", "password": "p\r\nx: y"},
        {"registry_token": "a b"},
        {"identity_token": "a\n"},
    ],
)
def test_security_c3_what_cannot_be_sent_is_refused_without_being_shown(
    fields: dict[str, str],
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        credential_for(RegistryAuth(**fields), ORIGIN, REFERENCE)
    assert all(value not in str(caught.value) for value in fields.values() if len(value) > 2)


def test_security_c3_no_secret_is_shown() -> None:
    shown = repr(Credential(username="N", password="N", identity_token="N", registry_token="N"))
    assert shown == "Credential()"
