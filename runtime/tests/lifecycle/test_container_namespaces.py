"""Which namespaces a container joins."""

import os
from dataclasses import replace

import pytest

from runtime.errors import FailedPrecondition, InvalidArgument
from runtime.host.host import ProcessIdentity
from runtime.lifecycle.container_namespaces import namespace_paths, uses_pause
from runtime.lifecycle.container_start import start_container
from runtime.records.container import ContainerRecord
from runtime.records.security import NamespaceMode
from runtime.tests.fakes.fake_host import FakeProcess
from runtime.tests.lifecycle.rig import Rig, container_config, pod_config
from runtime.tests.store.sample_rows import container


def asking(mode: NamespaceMode, target_id: str = "") -> ContainerRecord:
    return replace(container(), config=container_config(pid=mode, target_id=target_id))


async def test_the_pods_pins_are_joined(rig: Rig) -> None:
    pod = await rig.pod()
    pins = rig.node.paths.namespaces(pod.id)
    with namespace_paths(rig.node, pod, asking(NamespaceMode.POD)) as paths:
        assert paths.network == str(pins / "net")
        assert paths.ipc == str(pins / "ipc")
        assert paths.uts == str(pins / "uts")
        assert paths.pid == str(pins / "pid")


async def test_the_hosts_are_used_where_the_pod_uses_them(rig: Rig) -> None:
    node = NamespaceMode.NODE
    pod = await rig.pod(pod_config(network=node, ipc=node, pid=node))
    with namespace_paths(rig.node, pod, asking(node)) as paths:
        assert (paths.network, paths.ipc, paths.uts, paths.pid) == ("", "", "", "")
        assert paths.host_network
        assert paths.host_ipc
        assert paths.host_uts
        assert paths.host_pid


async def test_a_pid_namespace_of_its_own_is_new(rig: Rig) -> None:
    pod = await rig.pod(pod_config(pid=NamespaceMode.CONTAINER))
    with namespace_paths(rig.node, pod, asking(NamespaceMode.CONTAINER)) as paths:
        assert paths.pid == ""
        assert not paths.host_pid


async def test_sharing_with_a_pod_on_the_hosts_process_ids_is_the_hosts(rig: Rig) -> None:
    pod = await rig.pod(pod_config(pid=NamespaceMode.NODE))
    with namespace_paths(rig.node, pod, asking(NamespaceMode.POD)) as paths:
        assert paths.pid == ""
        assert paths.host_pid
    assert not uses_pause(pod, asking(NamespaceMode.POD))


async def running_target(rig: Rig) -> ContainerRecord:
    target = await rig.container(await rig.pod())
    await start_container(rig.node, target.id)
    own = replace(rig.node.container(target.id), pid=os.getpid(), pid_start_time=7)
    rig.node.show_container(own)
    return own


async def test_a_running_target_is_held_open_while_it_is_joined(rig: Rig) -> None:
    target = await running_target(rig)
    identity = ProcessIdentity(pid=os.getpid(), start_time=7)
    rig.host.processes[os.getpid()] = FakeProcess(identity)
    pod = rig.node.sandbox(target.sandbox_id)
    with namespace_paths(rig.node, pod, asking(NamespaceMode.TARGET, target.id)) as paths:
        assert os.readlink(paths.pid).startswith("pid:")
    assert not os.path.exists(paths.pid)


async def test_a_target_whose_pid_was_recycled_or_is_gone_is_never_joined(rig: Rig) -> None:
    target = await running_target(rig)
    pod = rig.node.sandbox(target.sandbox_id)
    identity = ProcessIdentity(pid=os.getpid(), start_time=8)
    rig.host.processes[os.getpid()] = FakeProcess(identity)
    with pytest.raises(FailedPrecondition, match="cannot be joined"):
        namespace_paths(rig.node, pod, asking(NamespaceMode.TARGET, target.id)).__enter__()
    rig.node.show_container(replace(target, pid=2**22 + 1))
    with pytest.raises(FailedPrecondition, match="cannot be joined"):
        namespace_paths(rig.node, pod, asking(NamespaceMode.TARGET, target.id)).__enter__()


async def test_a_target_of_another_pod_is_refused(rig: Rig) -> None:
    target = await running_target(rig)
    pod = await rig.pod(pod_config("other"))
    with pytest.raises(InvalidArgument, match="another pod"):
        namespace_paths(rig.node, pod, asking(NamespaceMode.TARGET, target.id)).__enter__()
