"""ExecSync: only in running containers, with a limit, and told by name."""

import pytest

from runtime.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument, NotFound
from runtime.lifecycle.container_exec import exec_sync
from runtime.lifecycle.container_start import start_container
from runtime.lifecycle.container_stop import stop_container
from runtime.tests.lifecycle.rig import Rig


async def test_a_command_is_run_to_its_end(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    await start_container(rig.node, container.id)
    result = await exec_sync(rig.node, container.id, ("echo", "hello"), 0)
    assert (result.exit_code, result.stdout) == (0, b"hello\n")
    failed = await exec_sync(rig.node, container.id, ("sh", "-c", "exit 3"), 5)
    assert failed.exit_code == 3


async def test_a_command_past_its_limit_is_a_deadline(rig: Rig) -> None:
    from runtime.drivers.driver import ExecRequest, ExecResult

    container = await rig.container(await rig.pod())
    await start_container(rig.node, container.id)
    seen: list[float | None] = []

    def answer(request: ExecRequest) -> ExecResult:
        seen.append(request.timeout_seconds)
        raise DeadlineExceeded("exec", "took too long")

    rig.driver.container(container.id).exec_answer = answer
    with pytest.raises(DeadlineExceeded, match="exec in default/web/app: exec: took too long"):
        await exec_sync(rig.node, container.id, ("sleep", "9"), 7)
    assert seen == [7]


async def test_what_is_missing_empty_or_not_running_is_refused(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    with pytest.raises(FailedPrecondition, match="created, not running; start it first"):
        await exec_sync(rig.node, container.id, ("echo",), 0)
    await start_container(rig.node, container.id)
    for command in ((), ("",)):
        with pytest.raises(InvalidArgument, match="empty"):
            await exec_sync(rig.node, container.id, command, 0)
    with pytest.raises(InvalidArgument, match="/no/such/program"):
        await exec_sync(rig.node, container.id, ("/no/such/program",), 0)
    await stop_container(rig.node, container.id, 0)
    with pytest.raises(FailedPrecondition, match="exited"):
        await exec_sync(rig.node, container.id, ("echo",), 0)
    with pytest.raises(NotFound):
        await exec_sync(rig.node, "f" * 64, ("echo",), 0)
