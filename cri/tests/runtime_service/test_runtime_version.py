"""Version."""

from cri.api import api_pb2
from cri.tests.runtime_service.conftest import Served
from cri.version import VERSION


async def test_all_four_fields_are_told(cri: Served) -> None:
    answer = await cri.runtime.Version(api_pb2.VersionRequest(version="whatever"))
    assert answer == api_pb2.VersionResponse(
        version="0.1.0", runtime_name="lading", runtime_version=VERSION, runtime_api_version="v1"
    )
