"""hosts.toml is read as containerd does, and mistakes are told by line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image.errors import ImageError, InvalidArgument
from image.protocol.hosts_file import (
    DEFAULT_TLS,
    HostEntry,
    HostRules,
    TlsRules,
    parse_hosts_file,
)
from image.protocol.rewrite_rules import RewriteRule

PATH = "/etc/lading/certs.d/a.test/hosts.toml"
FULL = """
server = "https://a.test"
ca = "own.pem"
[header]
x-root = "1"

[host."https://m1.test:5000/prefix/"]
  capabilities = ["pull", "resolve"]
  ca = ["a.pem", "/abs/b.pem"]
  client = [["c.pem", "c.key"], "both.pem"]
  skip_verify = true
  override_path = true
  dial_timeout = "1m1.5s"
  proxy = "http://u:S3CR3T@proxy.test:3128/"
  send_credentials = true
  token_realms = ["auth.test", "https://auth2.test/"]
  credential_helper = "ecr-login"
  [host."https://m1.test:5000/prefix/".rewrite]
    "^library/(.*)" = "hub/$1"
    "team/" = ""
  [host."https://m1.test:5000/prefix/".header]
    x-one = "v"
    x-many = ["v1", "v2"]

[host."m2.test"]
  client = "c.pem"
"""


def parse(text: str) -> HostRules:
    return parse_hosts_file(text, path=PATH)


def test_all_keys_are_read_in_the_order_of_the_file() -> None:
    rules = parse(FULL)
    beside = "/etc/lading/certs.d/a.test"
    assert rules.server == HostEntry(
        url="https://a.test",
        tls=TlsRules(ca=(f"{beside}/own.pem",)),
        headers=(("x-root", "1"),),
    )
    first, second = rules.hosts
    assert first == HostEntry(
        url="https://m1.test:5000/prefix",
        capabilities=frozenset({"pull", "resolve"}),
        tls=TlsRules(
            ca=(f"{beside}/a.pem", "/abs/b.pem"),
            client=((f"{beside}/c.pem", f"{beside}/c.key"), (f"{beside}/both.pem", "")),
            skip_verify=True,
        ),
        headers=(("x-one", "v"), ("x-many", "v1"), ("x-many", "v2")),
        override_path=True,
        dial_timeout=61.5,
        proxy="http://u:S3CR3T@proxy.test:3128/",
        send_credentials=True,
        token_realms=("https://auth.test", "https://auth2.test"),
        credential_helper="ecr-login",
        rewrite=(
            RewriteRule(pattern="^library/(.*)", replacement="hub/$1"),
            RewriteRule(pattern="team/", replacement=""),
        ),
    )
    assert second.url == "https://m2.test"
    places = [one.place for one in (rules.server, first, second)]
    lines = FULL.splitlines()
    assert [lines[int(place.rpartition(":")[2]) - 1][:13] for place in places] == [
        'server = "htt',
        '[host."https:',
        '[host."m2.tes',
    ]
    assert all(place.startswith("a.test/hosts.toml:") for place in places)
    assert second.tls.client == ((f"{beside}/c.pem", ""),)
    assert "pull" in second.capabilities


def test_empty_file_keeps_every_default() -> None:
    rules = parse("")
    assert rules == HostRules()
    assert rules.server.tls == DEFAULT_TLS


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1.0), ("500ms", 0.5), ("1.5h", 5400.0), (".5s", 0.5), ("2us3ns", 2.003e-6), ("0", 0.0)],
)
def test_durations_are_those_of_go(text: str, seconds: float) -> None:
    found = parse(f'dial_timeout = "{text}"').server.dial_timeout
    assert found == pytest.approx(seconds)


def test_capabilities_are_read_in_any_letter_case() -> None:
    assert parse('capabilities = ["Pull"]').server.capabilities == {"pull"}
    everything = {"pull", "resolve", "push", "referrers"}
    assert parse("capabilities = []").server.capabilities == everything


def test_secret_of_a_proxy_is_not_shown() -> None:
    assert "S3CR3T" not in repr(parse(FULL))


def test_headers_are_not_shown() -> None:
    assert "S3CR3T" not in repr(parse('[header]\nauthorization = "S3CR3T"'))


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ('server = "x\n', PATH, "is not TOML"),
        ("\nserver = 5", f"{PATH}", "must be a URL"),
        ("a = 1\n", f"{PATH}:1", "`a` is not a known key"),
        ("\n[other]\nx=1", f"{PATH}:2", "`other` is not a known key"),
        ('[host."https://m"]\n\nskip_verfy = true', f"{PATH}:3", "`skip_verfy` is not a known"),
        ('skip_verify = true\n[host."https://m"]\nskip_verify = 1', f"{PATH}:3", "true or false"),
        ('[host."https://m".tls]\nx = 1', f"{PATH}:1", "`tls` is not a known"),
        ("host = 1", PATH, "must hold tables"),
        ('[host]\n"https://m" = 1', PATH, "must be a table"),
        ('[host."ftp://m"]', f"{PATH}:1", "no http or https URL"),
        ('[host."https://u@m"]', f"{PATH}:1", "no http or https URL"),
        ('[host."https://m?x=1"]', f"{PATH}:1", "without user, query"),
        ('capabilities = ["pul"]', f"{PATH}:1", "unknown word 'pul'"),
        ("capabilities = [1]", f"{PATH}:1", "text or a list of text"),
        ("ca = 1", f"{PATH}:1", "text or a list of text"),
        ('ca = "a\\u0000b"', f"{PATH}:1", "text or a list of text"),
        ('client = [["a","b","c"]]', f"{PATH}:1", "pairs of certificate"),
        ("client = 5", f"{PATH}:1", "text or a list of text"),
        ("header = 5", f"{PATH}:1", "table of header lines"),
        ('[header]\n"a b" = "x"', f"{PATH}:1", "HTTP does not allow"),
        ('[header]\na = "x\\ny"', f"{PATH}:1", "HTTP does not allow"),
        ("dial_timeout = 5", f"{PATH}:1", "a duration like"),
        ('dial_timeout = "5"', f"{PATH}:1", "a duration like"),
        ('dial_timeout = "-5s"', f"{PATH}:1", "a duration like"),
        ("proxy = 1", f"{PATH}:1", "must be a URL"),
        ('proxy = "socks5://p.test:1080"', f"{PATH}:1", "SOCKS proxy"),
        ('proxy = "p.test:3128"', f"{PATH}:1", "http or https URL"),
        ('proxy = "http://p.test/path"', f"{PATH}:1", "without path"),
        ('proxy = "http://p.test?x=1"', f"{PATH}:1", "without path"),
        ('proxy = "http://[p.test"', f"{PATH}:1", "http or https URL"),
        ('send_credentials = "yes"', f"{PATH}:1", "true or false"),
        ('credential_helper = "/bin/x"', f"{PATH}:1", "NAME of a program"),
        ("credential_helper = 1", f"{PATH}:1", "NAME of a program"),
        ("rewrite = 1", f"{PATH}:1", "must be a table"),
        ('x = 1\n[rewrite]\n"a" = 1', f"{PATH}:1", "`x` is not a known key"),
        ('[rewrite]\n"a" = 1', f"{PATH}:1", "must give text"),
        ('[rewrite]\n"^(" = "x"', f"{PATH}:1", "unusable expression"),
        ('"unfind\\u0061ble" = 1', PATH, "not a known key"),
        pytest.param("a = " + "[" * 20_000, PATH, "is not TOML", id="deep"),
        pytest.param("a = " + "9" * 5000, PATH, "is not TOML", id="digits"),
    ],
)
def test_mistakes_are_refused_with_file_and_line(text: str, where: str, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words) as caught:
        parse(text)
    assert caught.value.subject.startswith(where)
    assert caught.value.reason == "InvalidHostsFile"


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet='[]"=host.\n servrca1', max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse(text)
    except ImageError:
        return
