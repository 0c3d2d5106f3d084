"""Kernel settings: names, values, and whose they are."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import InvalidArgument
from runtime.records.sandbox import LinuxSandboxConfig, SandboxConfig
from runtime.records.security import NamespaceMode, NamespaceOptions, SandboxSecurity
from runtime.spec import sysctls
from runtime.tests.spec.samples import MAPPED_POD, POD

NODE = NamespaceMode.NODE
PORTS = ("net/ipv4/ip_unprivileged_port_start", "0")
PING = ("net/ipv4/ping_group_range", "0 2147483647")


def _pod(*pairs: tuple[str, str], spaces: NamespaceOptions | None = None) -> SandboxConfig:
    security = SandboxSecurity(namespaces=spaces or NamespaceOptions())
    return replace(POD, linux=LinuxSandboxConfig(security=security, sysctls=pairs))


def test_pod_with_its_own_network_may_use_low_ports_and_ping() -> None:
    assert sysctls.pod_sysctls(POD) == (PORTS, PING)
    assert sysctls.pod_sysctls(MAPPED_POD) == (PORTS,)
    assert sysctls.pod_sysctls(_pod(spaces=NamespaceOptions(network=NODE))) == ()
    none = sysctls.grouped_sysctls(POD, unprivileged_ports=False, unprivileged_ping=False)
    assert none.all == ()


def test_settings_are_grouped_and_override_defaults() -> None:
    grouped = sysctls.grouped_sysctls(
        _pod(
            ("net.ipv4.ip_unprivileged_port_start", "1024"),
            ("kernel.shm_rmid_forced", "1"),
            ("fs.mqueue.msg_max", "100"),
            ("kernel/domainname", "example.org"),
            ("net/ipv4/conf/eth0.100/forwarding", ""),
        )
    )
    assert grouped.network == (
        ("net/ipv4/ip_unprivileged_port_start", "1024"),
        PING,
        ("net/ipv4/conf/eth0.100/forwarding", ""),
    )
    assert grouped.ipc == (("kernel/shm_rmid_forced", "1"), ("fs/mqueue/msg_max", "100"))
    assert grouped.uts == (("kernel/domainname", "example.org"),)
    assert grouped.all == (*grouped.network, *grouped.ipc, *grouped.uts)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("net.ipv4.conf.eth0/100.forwarding", "net/ipv4/conf/eth0.100/forwarding"),
        ("net/ipv4/conf/eth0.100/forwarding", "net/ipv4/conf/eth0.100/forwarding"),
        ("kernel.sem", "kernel/sem"),
    ],
)
def test_first_separator_decides(name: str, path: str) -> None:
    assert sysctls.sysctl_path(name) == path


@pytest.mark.parametrize(
    "name",
    [
        "",
        "kernel",
        "net..ipv4",
        "net/../kernel/x",
        "net/./x",
        "/net/x",
        "net/x/",
        "net.ipv4 x",
        "net.\nx",
        "net.+x",
        "net." + "x" * 300,
    ],
)
def test_malformed_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument, match="BadSysctl"):
        sysctls.pod_sysctls(_pod((name, "1")))


@given(st.text(max_size=30))
def test_name_stays_below_its_root_or_is_refused(name: str) -> None:
    try:
        path = sysctls.sysctl_path(name)
    except InvalidArgument:
        return
    assert path.isprintable()
    assert not {"", ".", ".."} & set(path.split("/"))


@pytest.mark.parametrize("value", ["1+kernel.core_pattern=x", "1\n2", "a=b", "x" * 2000, "|/bin/x"])
def test_value_that_could_mean_more_is_refused(value: str) -> None:
    with pytest.raises(InvalidArgument, match="BadSysctlValue"):
        sysctls.pod_sysctls(_pod(("kernel.shm_rmid_forced", value)))


@pytest.mark.parametrize(
    ("name", "spaces", "reason"),
    [
        ("net.core.somaxconn", NamespaceOptions(network=NODE), "SysctlOfHost"),
        ("kernel.domainname", NamespaceOptions(network=NODE), "SysctlOfHost"),
        ("kernel.sem", NamespaceOptions(ipc=NODE), "SysctlOfHost"),
        ("fs.mqueue.msg_max", NamespaceOptions(ipc=NODE), "SysctlOfHost"),
        ("vm.swappiness", NamespaceOptions(), "SysctlNotNamespaced"),
        ("kernel.core_pattern", NamespaceOptions(), "SysctlNotNamespaced"),
        ("kernel.hostname", NamespaceOptions(), "SysctlNotNamespaced"),
    ],
)
def test_setting_of_the_host_is_refused(name: str, spaces: NamespaceOptions, reason: str) -> None:
    with pytest.raises(InvalidArgument, match=reason):
        sysctls.pod_sysctls(_pod((name, "1"), spaces=spaces))
