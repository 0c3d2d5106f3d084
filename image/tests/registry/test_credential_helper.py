"""Helper programs are asked by Docker's protocol, within a deadline, and nothing of theirs is shown."""

import stat
from pathlib import Path

import pytest

from image.errors import Unavailable
from image.model.records import RegistryAuth
from image.registry.credential_helper import ask_helper


def install(directory: Path, script: str, name: str = "x") -> str:
    """Write a helper and give the search path that finds it."""
    program = directory / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(stat.S_IRWXU)
    return f"{directory}:/bin:/usr/bin"


async def test_pair_is_given_for_the_server_that_was_asked(tmp_path: Path) -> None:
    script = (
        '[ "$1" = get ] && [ "$#" = 1 ] || exit 3\nread server\n'
        'echo "{\\"ServerURL\\": \\"$server\\", \\"Username\\": \\"u-$server\\", \\"Secret\\": \\"p\\"}"'
    )
    found = await ask_helper("x", "r.test", path=install(tmp_path, script))
    assert found == RegistryAuth(username="u-r.test", password="p")


async def test_identity_token_is_told_by_its_user_name(tmp_path: Path) -> None:
    script = 'echo \'{"Username": "<token>", "Secret": "t"}\''
    found = await ask_helper("x", "r.test", path=install(tmp_path, script))
    assert found == RegistryAuth(identity_token="t")


@pytest.mark.parametrize(
    "script",
    ["echo 'credentials not found in native keychain'; exit 1", 'echo \'{"Username": "u"}\''],
)
async def test_unknown_server_means_nobody(tmp_path: Path, script: str) -> None:
    assert await ask_helper("x", "r.test", path=install(tmp_path, script)) is None


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exec sleep 1000", "did not answer in 0.3 s"),
        ("echo S3CR3T; exit 7", "ended with 7"),
        ("echo S3CR3T", "something else"),
        ('echo \'{"Secret": 5, "Username": "S3CR3T"}\'', "something else"),
    ],
)
async def test_failing_helper_is_told_without_what_it_printed(
    tmp_path: Path, script: str, words: str
) -> None:
    seconds = 0.3 if "sleep" in script else 30
    with pytest.raises(Unavailable, match=words) as caught:
        await ask_helper("x", "r.test", seconds=seconds, path=install(tmp_path, script))
    assert "S3CR3T" not in str(caught.value)
    assert caught.value.__cause__ is None or "S3CR3T" not in str(caught.value.__cause__)


async def test_missing_helper_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="docker-credential-x: is not installed"):
        await ask_helper("x", "r.test", path=str(tmp_path))


async def test_helper_gets_a_built_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_PRELOAD_OF_HOST", "1")
    script = 'env >"$(dirname "$0")/env"; echo \'{"Username": "u", "Secret": "p"}\''
    await ask_helper("x", "r.test", path=install(tmp_path, script))
    assert "LD_PRELOAD_OF_HOST" not in (tmp_path / "env").read_text()
