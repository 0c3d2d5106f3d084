"""Status and configuration of the runtime."""

import json
from dataclasses import replace

from cri.api import api_pb2
from cri.runtime_service import runtime_status
from cri.tests.runtime_service.conftest import Served


async def test_conditions_carry_reason_and_remedy(cri: Served) -> None:
    answer = await cri.runtime.Status(api_pb2.StatusRequest())
    assert list(answer.status.conditions) == [
        api_pb2.RuntimeCondition(type="RuntimeReady", status=True),
        api_pb2.RuntimeCondition(
            type="NetworkReady", status=False, reason="R", message="no network; add one"
        ),
    ]
    assert dict(answer.info) == {}


async def test_the_default_handler_is_told_under_the_empty_name_too(cri: Served) -> None:
    answer = await cri.runtime.Status(api_pb2.StatusRequest())
    assert [handler.name for handler in answer.runtime_handlers] == ["", "crun"]
    assert answer.runtime_handlers[0].features == answer.runtime_handlers[1].features
    assert answer.features.supplemental_groups_policy
    assert answer.features.mount_options


async def test_a_handler_that_cannot_be_used_is_not_offered(cri: Served) -> None:
    broken = replace(cri.rig.driver.features, usable=False, reason="gone")
    cri.rig.node.features = {**cri.rig.node.features, "kata": broken}
    answer = await cri.runtime.Status(api_pb2.StatusRequest())
    assert [handler.name for handler in answer.runtime_handlers] == ["", "crun"]


async def test_without_any_handler_status_still_answers(cri: Served) -> None:
    cri.rig.node.default_handler = ""
    cri.rig.node.features = {}
    answer = await cri.runtime.Status(api_pb2.StatusRequest())
    assert list(answer.runtime_handlers) == []
    assert not answer.features.mount_options


async def test_verbose_tells_directories_settings_and_handlers(cri: Served) -> None:
    answer = await cri.runtime.Status(api_pb2.StatusRequest(verbose=True))
    config = json.loads(answer.info["config"])
    assert config["stateDir"] == str(cri.rig.node.settings.state)
    assert config["settings"] == {"log.level": "info"}
    assert json.loads(answer.info["handlers"])["crun"]["version"] == "fake 1"


async def test_the_cgroup_driver_is_told(cri: Served) -> None:
    answer = await cri.runtime.RuntimeConfig(api_pb2.RuntimeConfigRequest())
    assert answer.linux.cgroup_driver == api_pb2.CGROUPFS
    parts = replace(cri.parts, systemd_cgroups=True)
    systemd = await runtime_status.runtime_config(parts, api_pb2.RuntimeConfigRequest())
    assert systemd.linux.cgroup_driver == api_pb2.SYSTEMD


async def test_a_pod_cidr_is_accepted(cri: Served) -> None:
    network = api_pb2.NetworkConfig(pod_cidr="10.0.0.0/24")
    request = api_pb2.UpdateRuntimeConfigRequest(
        runtime_config=api_pb2.RuntimeConfig(network_config=network)
    )
    assert await cri.runtime.UpdateRuntimeConfig(request) == api_pb2.UpdateRuntimeConfigResponse()
