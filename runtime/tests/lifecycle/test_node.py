"""Look-ups from memory: by id, prefix, metadata and filter."""

from dataclasses import replace

import pytest

from runtime.errors import InvalidArgument, NotFound, Unavailable
from runtime.records.identifiers import container_key, sandbox_key
from runtime.records.list_filter import ContainerFilter, SandboxFilter
from runtime.tests.lifecycle.rig import Rig, container_config, pod_config


async def test_objects_are_found_by_id_prefix_and_metadata(rig: Rig) -> None:
    pod = await rig.pod()
    container = await rig.container(pod)
    assert rig.node.sandbox(pod.id) == rig.node.sandbox(pod.id[:8]) == pod
    assert rig.node.container(container.id[:8]) == container
    assert rig.node.sandbox_by_key(sandbox_key(pod.config.metadata)) == pod
    key = container_key(pod.id, container.config.metadata)
    assert rig.node.container_by_key(key) == container


async def test_what_is_not_there_is_not_found_and_empty_ids_are_refused(rig: Rig) -> None:
    with pytest.raises(NotFound, match="pod sandbox ffff"):
        rig.node.sandbox("ffff")
    with pytest.raises(NotFound, match="container ffff"):
        rig.node.container("ffff")
    for look_up in (rig.node.sandbox, rig.node.container):
        with pytest.raises(InvalidArgument):
            look_up("")


async def test_lists_are_filtered_and_ordered_by_age(rig: Rig) -> None:
    pods = [await rig.pod(pod_config(f"p{number}")) for number in range(3)]
    container = await rig.container(pods[1])
    assert list(rig.node.list_sandboxes(SandboxFilter())) == pods
    assert rig.node.list_sandboxes(SandboxFilter(id=pods[2].id)) == (pods[2],)
    assert rig.node.list_containers(ContainerFilter(sandbox_id=pods[0].id)) == ()
    assert rig.node.list_containers(ContainerFilter(sandbox_id=pods[1].id)) == (container,)


async def test_a_hidden_object_gives_its_name_back_only_if_it_is_still_its_own(rig: Rig) -> None:
    pod = await rig.pod()
    old = await rig.container(pod)
    newer = replace(old, id="e" * 64)
    rig.node.show_container(newer)
    rig.node.hide_container(old)
    key = container_key(pod.id, container_config().metadata)
    assert rig.node.container_by_key(key) == newer


async def test_a_handler_that_cannot_be_used_says_why(rig: Rig) -> None:
    assert rig.node.handler_for("", "run x") == "crun"
    assert rig.node.settings_of("crun").name == "crun"
    assert rig.node.runtime_features("crun").recursive_read_only_mounts
    features = replace(rig.driver.features, usable=False, reason="crun is not installed")
    rig.node.features = {"crun": features}
    with pytest.raises(Unavailable, match="not installed"):
        rig.node.handler_for("crun", "run x")
