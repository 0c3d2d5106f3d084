"""ExecSync."""

import grpc
import pytest

from cri.api import api_pb2
from cri.runtime_service.container_exec_sync import fit_answer
from cri.tests.runtime_service.conftest import Served
from cri.tests.served import refusal
from runtime.drivers.driver import ExecRequest, ExecResult


def failing(request: ExecRequest) -> ExecResult:
    return ExecResult(exit_code=3, stdout=b"out", stderr=b"err")


async def test_any_exit_code_is_an_answer_with_both_streams(cri: Served) -> None:
    id = await cri.started(await cri.pod())
    cri.rig.driver.container(id).exec_answer = failing
    answer = await cri.runtime.ExecSync(
        api_pb2.ExecSyncRequest(container_id=id, cmd=["x"], timeout=5)
    )
    assert answer == api_pb2.ExecSyncResponse(stdout=b"out", stderr=b"err", exit_code=3)


async def test_a_container_that_does_not_run_is_refused(cri: Served) -> None:
    id = await cri.container(await cri.pod())
    request = api_pb2.ExecSyncRequest(container_id=id, cmd=["x"])
    code, _ = await refusal(lambda: cri.runtime.ExecSync(request))
    assert code is grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize(
    "request_",
    [
        api_pb2.ExecSyncRequest(container_id="a"),
        api_pb2.ExecSyncRequest(container_id="a", cmd=["x"], timeout=-1),
    ],
)
async def test_impossible_requests_are_refused(
    cri: Served, request_: api_pb2.ExecSyncRequest
) -> None:
    code, _ = await refusal(lambda: cri.runtime.ExecSync(request_))
    assert code is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("out", "err", "kept"),
    [(3, 3, (3, 3)), (20, 0, (10, 0)), (0, 20, (0, 10)), (20, 20, (5, 5)), (20, 2, (8, 2))],
)
def test_both_streams_fit_the_answer(out: int, err: int, kept: tuple[int, int]) -> None:
    stdout, stderr = fit_answer(b"o" * out, b"e" * err, limit=10)
    assert (len(stdout), len(stderr)) == kept
