"""A pod's names: one word each, one line each."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import InvalidArgument
from runtime.records.sandbox import DnsConfig, LinuxSandboxConfig, PodAddresses
from runtime.records.security import NamespaceMode, NamespaceOptions, SandboxSecurity
from runtime.spec import hostname_and_dns as names
from runtime.tests.spec.samples import POD

ON_HOST = replace(
    POD,
    linux=LinuxSandboxConfig(
        security=SandboxSecurity(namespaces=NamespaceOptions(network=NamespaceMode.NODE))
    ),
)


def test_hostname_is_asked_for_or_the_hosts_or_the_short_id() -> None:
    assert names.hostname_for(replace(POD, hostname="My-pod.1"), "f" * 64, "node") == "My-pod.1"
    assert names.hostname_for(ON_HOST, "f" * 64, "node") == "node"
    assert names.hostname_for(POD, "f" * 64, "node") == "f" * 12
    assert names.hostname_file("web") == "web\n"


@pytest.mark.parametrize("bad", ["a\nb", "a b", "a/b", "-a", "a.", "x" * 65, "a;b", "ä", "a\0"])
def test_bad_hostname_is_refused(bad: str) -> None:
    with pytest.raises(InvalidArgument, match="BadHostname"):
        names.hostname_for(replace(POD, hostname=bad), "f" * 64, "node")


@pytest.mark.parametrize(
    ("dns", "text"),
    [
        (None, "host text"),
        (DnsConfig(), ""),
        (
            DnsConfig(servers=("10.0.0.10", "fe80::1%eth0")),
            "nameserver 10.0.0.10\nnameserver fe80::1%eth0\n",
        ),
        (
            DnsConfig(servers=("1.1.1.1",), searches=("a.b", "c"), options=("ndots:5", "edns0")),
            "search a.b c\nnameserver 1.1.1.1\noptions ndots:5 edns0\n",
        ),
    ],
)
def test_resolv_conf_has_exact_lines(dns: DnsConfig | None, text: str) -> None:
    assert names.resolv_conf(dns, "host text") == text


@pytest.mark.parametrize("bad", ["a\nnameserver 6.6.6.6", "a b", "", "a\r", "\x0b", "x" * 513])
@pytest.mark.parametrize("kind", ["servers", "searches", "options"])
def test_entry_of_more_than_one_word_is_refused(kind: str, bad: str) -> None:
    with pytest.raises(InvalidArgument, match="BadDnsConfig"):
        names.resolv_conf(replace(DnsConfig(), **{kind: (bad,)}), "")


@given(st.lists(st.text(max_size=20), max_size=3).map(tuple))
def test_each_server_is_one_line_or_refused(servers: tuple[str, ...]) -> None:
    try:
        text = names.resolv_conf(DnsConfig(servers=servers), "")
    except InvalidArgument:
        return
    assert text.splitlines() == [f"nameserver {server}" for server in servers]


@pytest.mark.parametrize(
    ("host", "addresses", "text"),
    [
        ("", PodAddresses(), ""),
        ("127.0.0.1 localhost", PodAddresses(), "127.0.0.1 localhost\n"),
        ("a b\n", PodAddresses(ip="10.1.0.2"), "a b\n10.1.0.2\tweb\n"),
        ("", PodAddresses(ip="1.2.3.4", additional_ips=("::1",)), "1.2.3.4\tweb\n::1\tweb\n"),
    ],
)
def test_hosts_file_adds_the_pod(host: str, addresses: PodAddresses, text: str) -> None:
    assert names.hosts_file(host, "web", addresses) == text
