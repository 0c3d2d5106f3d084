"""`lading image resolve` says which place a pull takes."""

from cri.tests.command.conftest import CannedDaemon, CommandLine


def endpoint(url: str, *, works: bool, result: str) -> dict[str, object]:
    return {
        "url": url,
        "rule": "/certs/a/hosts.toml:2",
        "auth": "anonymous",
        "auth_why": "no pull secret",
        "asked": True,
        "works": works,
        "result": result,
        "digest": "sha256:d" if works else "",
        "seconds": 0.08,
    }


def test_the_place_that_a_pull_takes_is_marked(daemon: CannedDaemon, lading: CommandLine) -> None:
    places = [
        endpoint("http://a", works=False, result="503"),
        endpoint("http://b", works=True, result="200"),
    ]
    daemon.on("image/resolve", {"endpoints": places})
    said = lading("image", "resolve", "app")
    assert said.code == 0
    assert said.out.splitlines() == [
        "1 http://a",
        "  rule    /certs/a/hosts.toml:2",
        "  as      anonymous (no pull secret)",
        "  says    503 in 80 ms",
        "2 http://b",
        "  rule    /certs/a/hosts.toml:2",
        "  as      anonymous (no pull secret)",
        "  says    200 in 80 ms   <- a pull takes this",
        "  means   sha256:d",
    ]
    assert lading("image", "resolve", "-q", "app").out == "http://a\nhttp://b\n"
    daemon.on("image/resolve", {"endpoints": places[:1]})
    assert lading("image", "resolve", "app").code == 3
