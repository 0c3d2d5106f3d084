"""Names as users gave them."""

from runtime.lifecycle.object_names import container_name, name_in_pod, pod_name
from runtime.tests.lifecycle.rig import Rig, container_config


async def test_objects_are_named_by_their_metadata(rig: Rig) -> None:
    pod = await rig.pod()
    container = await rig.container(pod)
    assert pod_name(pod) == "default/web"
    assert name_in_pod(pod, container_config("db")) == "default/web/db"
    assert container_name(rig.node, container) == "default/web/app"
    rig.node.hide_sandbox(pod)
    assert container_name(rig.node, container) == "app"
