"""The table of the RuntimeService."""

import grpc

from cri.api import api_pb2
from cri.runtime_service.service import runtime_methods
from cri.tests.runtime_service.conftest import Served
from cri.tests.served import refusal

NOT_BUILT = {
    "CheckpointContainer",
    "CheckpointPod",
    "RestorePod",
    "ListMetricDescriptors",
    "ListPodSandboxMetrics",
    "StreamPodSandboxMetrics",
    "UpdatePodSandboxResources",
}


async def test_every_method_is_answered_or_named_here(cri: Served) -> None:
    assert set(runtime_methods(cri.parts).missing()) == NOT_BUILT


async def test_a_method_that_is_not_built_says_so(cri: Served) -> None:
    request = api_pb2.ListMetricDescriptorsRequest()
    code, text = await refusal(lambda: cri.runtime.ListMetricDescriptors(request))
    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert "ListMetricDescriptors is not available in this version of Lading" in text
