"""Taking apart works however far the making came, and again."""

from dataclasses import replace

from runtime.lifecycle.dismantle import dismantle_container, dismantle_sandbox, image_owners
from runtime.records.container import Mount
from runtime.tests.lifecycle.rig import Rig, container_config


async def test_whole_absent_and_unknown_objects_are_taken_apart(rig: Rig) -> None:
    pod = await rig.pod()
    container = await rig.container(pod)
    for _ in range(2):
        await dismantle_container(rig.node, container)
        await dismantle_sandbox(rig.node, pod)
    assert rig.left() == {}


async def test_without_a_handle_every_driver_is_asked(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    rig.node.live.clear()
    await dismantle_container(rig.node, replace(container, handler="gone"))
    assert container.id not in rig.driver.containers


def test_image_volumes_keep_images_under_names_of_their_own() -> None:
    from runtime.tests.store.sample_rows import container

    mounts = (
        Mount(container_path="/a", host_path="/a"),
        Mount(container_path="/b", image="data:v1"),
    )
    record = replace(container(), config=container_config(mounts=mounts))
    assert image_owners(record) == (record.id, f"{record.id}.volume1")
