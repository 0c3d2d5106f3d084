"""Names of kernel parameters and whose they are."""

import pytest

from runtime.host import sysctls
from runtime.host.sysctls import owning_namespace, sysctl_path, write_if_present, write_sysctl


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "/proc/sys/net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/1.forwarding", "/proc/sys/net/ipv4/conf/eth0.1/forwarding"),
        ("net/ipv4/conf/eth0.1/forwarding", "/proc/sys/net/ipv4/conf/eth0.1/forwarding"),
        ("abi", "/proc/sys/abi"),
    ],
)
def test_first_separator_tells_the_kind_of_name(name: str, path: str) -> None:
    assert sysctl_path(name) == path


@pytest.mark.parametrize("name", ["", "net..x", "net/../x", "/etc/x", "net.ipv4.", "a\0b", "a/./b"])
def test_name_that_would_leave_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        sysctl_path(name)


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("net.core.somaxconn", "net"),
        ("kernel.shm_rmid_forced", "ipc"),
        ("kernel/msgmax", "ipc"),
        ("kernel.sem", "ipc"),
        ("fs.mqueue.msg_max", "ipc"),
        ("kernel.domainname", "uts"),
        ("kernel.core_pattern", ""),
        ("vm.overcommit_memory", ""),
        ("network", ""),
    ],
)
def test_owner_of_a_parameter_is_known(name: str, owner: str) -> None:
    assert owning_namespace(name) == owner


def test_value_is_written_once_and_a_missing_parameter_is_told(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysctls, "_ROOT", str(tmp_path))
    with pytest.raises(FileNotFoundError):
        write_sysctl("key", "1")
    assert not write_if_present("key", "1")
    with open(f"{tmp_path}/key", "w"):
        pass
    assert write_if_present("key", "1+x")
    with open(f"{tmp_path}/key") as file:
        assert file.read() == "1+x"
