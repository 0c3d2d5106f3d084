"""The files that a pod's containers share."""

from dataclasses import replace
from pathlib import Path

from runtime.lifecycle.sandbox_files import destroy_files, paths_of_files
from runtime.records.sandbox import DnsConfig
from runtime.records.security import NamespaceMode
from runtime.tests.lifecycle.rig import Rig, pod_config


async def test_without_dns_the_hosts_resolver_is_copied(rig: Rig) -> None:
    rig.host.files[Path("/etc/resolv.conf")] = b"nameserver 9.9.9.9\n"
    rig.host.files[Path("/etc/hosts")] = b"127.0.0.1 localhost\n"
    pod = await rig.pod(replace(pod_config(), hostname="blue"))
    files, _ = rig.host.pod_files[rig.node.paths.pod(pod.id)]
    assert "nameserver 9.9.9.9" in files["resolv.conf"]
    assert "127.0.0.1 localhost" in files["hosts"]
    assert pod.addresses.ip in files["hosts"]
    assert files["hostname"] == "blue\n"


async def test_given_dns_is_written_and_an_empty_one_is_an_empty_file(rig: Rig) -> None:
    dns = DnsConfig(servers=("1.1.1.1",))
    pod = await rig.pod(replace(pod_config("a"), dns=dns))
    assert "nameserver 1.1.1.1" in rig.host.pod_files[rig.node.paths.pod(pod.id)][0]["resolv.conf"]
    pod = await rig.pod(replace(pod_config("b"), dns=DnsConfig()))
    assert rig.host.pod_files[rig.node.paths.pod(pod.id)][0]["resolv.conf"] == ""
    assert "" not in rig.host.called("read_below")


async def test_containers_mount_them_from_the_pods_own_tmpfs(rig: Rig) -> None:
    pod = await rig.pod()
    directory = rig.node.paths.pod(pod.id)
    paths = paths_of_files(rig.node, pod)
    assert paths.resolv_conf == str(directory / "files/resolv.conf")
    assert paths.shm == str(directory / "shm")
    host_ipc = await rig.pod(pod_config("b", ipc=NamespaceMode.NODE))
    assert paths_of_files(rig.node, host_ipc).shm == "/dev/shm"
    for _ in range(2):
        await destroy_files(rig.node, pod)
    assert directory not in rig.host.pod_files
