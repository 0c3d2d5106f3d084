"""Credentials are those of the reference's registry and of no other."""

import json
from pathlib import Path

import pytest

from cri.command.daemon_client import CommandError
from cri.command.image.auth_file import auth_for


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.json"
    hub = {"username": "me", "password": "p"}
    auths = {"https://index.docker.io/v1/": hub, "r.test:5000": {"identitytoken": "t"}}
    path.write_text(json.dumps({"auths": auths}))
    return path


def test_only_the_registry_that_is_asked_gets_its_credential(file: Path) -> None:
    assert auth_for(file, "busybox")["username"] == "me"
    assert auth_for(file, "r.test:5000/a")["identity_token"] == "t"
    assert auth_for(file, "other.test/a") == {}


def test_an_unusable_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read") as told:
        auth_for(tmp_path / "none", "busybox")
    assert told.value.code == 2
    (tmp_path / "bad").write_text("{")
    with pytest.raises(CommandError, match="JSON"):
        auth_for(tmp_path / "bad", "busybox")
    (tmp_path / "empty").write_text("{}")
    assert auth_for(tmp_path / "empty", "busybox") == {}


@pytest.mark.parametrize("key", ["credsStore", "credHelpers"])
def test_a_helper_that_the_file_names_is_asked(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "docker-credential-made"
    helper.write_text(
        '#!/bin/sh\nread -r server\necho "{\\"Username\\":\\"$server\\",\\"Secret\\":\\"s\\"}"\n'
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    path = tmp_path / "config.json"
    path.write_text(json.dumps({key: "made" if key == "credsStore" else {"r.test": "made"}}))
    auth = auth_for(path, "r.test/app")
    assert (auth["username"], auth["password"]) == ("r.test", "s")
    assert auth["server_address"] == "r.test"


def test_a_helper_that_fails_is_told_and_nothing_else_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"credsStore": "away"}))
    with pytest.raises(CommandError, match="docker-credential-away"):
        auth_for(path, "r.test/app")
