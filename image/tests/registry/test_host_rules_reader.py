"""The hosts.toml of a registry is found where containerd looks for it."""

from pathlib import Path

import pytest

from image.errors import InvalidArgument
from image.model.reference import parse_reference
from image.protocol.hosts_file import MAX_FILE_BYTES, TlsRules
from image.registry.host_rules_reader import HostRulesReader
from image.tests.registry.conftest import WriteHosts

REFERENCE = parse_reference("a.test:5000/x")


async def urls(certs_d: Path) -> list[str]:
    return [one.url for one in await HostRulesReader(certs_d).endpoints_of(REFERENCE)]


async def test_registry_without_rules_is_asked_itself(certs_d: Path) -> None:
    assert await urls(certs_d) == ["https://a.test:5000/v2"]
    assert await urls(certs_d / "missing") == ["https://a.test:5000/v2"]


async def test_own_directory_wins_over_the_default(certs_d: Path, write_hosts: WriteHosts) -> None:
    write_hosts("_default", '[host."https://default.test"]')
    assert await urls(certs_d) == ["https://default.test/v2", "https://a.test:5000/v2"]
    write_hosts("a.test:5000", '[host."https://colon.test"]')
    assert (await urls(certs_d))[0] == "https://colon.test/v2"
    write_hosts("a.test_5000_", '[host."https://portable.test"]')
    assert (await urls(certs_d))[0] == "https://portable.test/v2"


async def test_change_is_seen_by_the_next_request(certs_d: Path, write_hosts: WriteHosts) -> None:
    reader = HostRulesReader(certs_d)
    assert [one.url for one in await reader.endpoints_of(REFERENCE)] == ["https://a.test:5000/v2"]
    write_hosts("a.test:5000", 'server = "https://b.test"')
    assert [one.url for one in await reader.endpoints_of(REFERENCE)] == ["https://b.test/v2"]
    (certs_d / "a.test:5000" / "hosts.toml").write_text('server = "https://c.test"')
    assert [one.url for one in await reader.endpoints_of(REFERENCE)] == ["https://c.test/v2"]


async def test_certificates_in_the_layout_of_docker_serve_where_there_is_no_file(
    certs_d: Path, write_hosts: WriteHosts
) -> None:
    write_hosts("_default", '[host."https://default.test"]')
    directory = certs_d / "a.test:5000"
    directory.mkdir()
    for name in ("ca.crt", "me.cert", "me.key"):
        (directory / name).write_text("")
    (origin,) = await HostRulesReader(certs_d).endpoints_of(REFERENCE)
    assert origin.url == "https://a.test:5000/v2"
    assert origin.tls == TlsRules(
        ca=(f"{directory}/ca.crt",), client=((f"{directory}/me.cert", f"{directory}/me.key"),)
    )
    (directory / "hosts.toml").write_text("")  # containerd takes an empty one for none
    assert (await HostRulesReader(certs_d).endpoints_of(REFERENCE))[0].tls == origin.tls
    (directory / "hosts.toml").write_text('ca = "other.pem"')
    (origin,) = await HostRulesReader(certs_d).endpoints_of(REFERENCE)
    assert origin.tls == TlsRules(ca=(f"{directory}/other.pem",))


async def test_directory_of_the_registry_wins_even_when_it_says_nothing(
    certs_d: Path, write_hosts: WriteHosts
) -> None:
    write_hosts("_default", '[host."https://default.test"]')
    (certs_d / "a.test:5000").mkdir()
    assert await urls(certs_d) == ["https://a.test:5000/v2"]


async def test_directory_that_cannot_be_read_is_told(
    certs_d: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.listdir", refuse)
    with pytest.raises(InvalidArgument, match="cannot be read: Permission denied"):
        await urls(certs_d)


async def test_mistake_is_told_with_the_path(certs_d: Path, write_hosts: WriteHosts) -> None:
    write_hosts("_default", "\nmirror = 1\n")
    with pytest.raises(InvalidArgument, match="`mirror`") as caught:
        await urls(certs_d)
    assert caught.value.subject == f"{certs_d}/_default/hosts.toml:2"


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\xff", "not UTF-8"), (b"#" * (MAX_FILE_BYTES + 1), "larger than")],
)
async def test_file_that_is_no_text_is_refused(certs_d: Path, content: bytes, words: str) -> None:
    (certs_d / "_default").mkdir()
    (certs_d / "_default" / "hosts.toml").write_bytes(content)
    with pytest.raises(InvalidArgument, match=words):
        await urls(certs_d)


async def test_file_that_cannot_be_read_is_told(certs_d: Path) -> None:
    (certs_d / "_default" / "hosts.toml").mkdir(parents=True)
    with pytest.raises(InvalidArgument, match="cannot be read"):
        await urls(certs_d)
