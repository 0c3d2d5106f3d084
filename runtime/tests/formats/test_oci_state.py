"""Tests of a runtime's answers."""

import pytest

from runtime.formats.oci_state import (
    OciFeatures,
    OciState,
    parse_features,
    parse_list,
    parse_state,
    parse_version,
)

CRUN = b'{"ociVersion":"1.0.0","id":"a","pid":7,"status":"running","bundle":"/b","owner":"root"}'


def test_state_of_a_running_container() -> None:
    assert parse_state(CRUN) == OciState(id="a", status="running", pid=7, bundle="/b")


def test_stopped_container_has_no_pid_and_may_lack_a_bundle() -> None:
    found = parse_state(b'{"id":"a","pid":-1,"status":"stopped"}')
    assert found == OciState(id="a", status="stopped", pid=0, bundle="")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b'{"status":"running"}',
        b'{"id":"","status":"running"}',
        b'{"id":"a"}',
        b'{"id":"a","status":"dreaming"}',
    ],
)
def test_other_states_are_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"state|JSON"):
        parse_state(text)


@pytest.mark.parametrize("text", [b"", b"\n", b"null", b"[\n\n]\n"])
def test_no_containers(text: bytes) -> None:
    assert parse_list(text) == ()


def test_list_of_containers() -> None:
    assert [state.id for state in parse_list(b"[" + CRUN + b"]")] == ["a"]


@pytest.mark.parametrize("text", [b"{}", b"[7]", b"no"])
def test_other_lists_are_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"list|state|JSON"):
        parse_list(text)


@pytest.mark.parametrize(
    ("text", "features"),
    [
        (
            (
                b'{"mountOptions":["ro","rro"],"linux":{"namespaces":["user"],'
                b'"mountExtensions":{"idmap":{"enabled":true}}}}'
            ),
            (True, True, True),
        ),
        (b'{"mountOptions":["ro"],"linux":{"namespaces":["net"]}}', (False, False, False)),
        (b'{"linux":{"mountExtensions":{"idmap":{"enabled":"yes"}}}}', (False, False, False)),
        (b"{}", (False, False, False)),
    ],
)
def test_features(text: bytes, features: tuple[bool, bool, bool]) -> None:
    rro, idmap, user = features
    assert parse_features(text) == OciFeatures(
        recursive_read_only_mounts=rro, id_mapped_mounts=idmap, user_namespaces=user
    )


def test_features_must_be_an_object() -> None:
    with pytest.raises(ValueError, match="no object"):
        parse_features(b"[]")


@pytest.mark.parametrize(
    ("text", "version", "numbers"),
    [
        ("crun version 1.8.1\ncommit: x", "crun 1.8.1", (1, 8, 1)),
        ("runc version 1.1.5+ds1\n", "runc 1.1.5+ds1", (1, 1, 5)),
        ("none", "none", (0,)),
        ("  \n", "", (0,)),
    ],
)
def test_version(text: str, version: str, numbers: tuple[int, ...]) -> None:
    assert parse_version(text) == (version, numbers)
