"""Clean-ups that failed are tried until they succeed, containers before their pods."""

import pytest

from runtime.errors import PodRuntimeError, Unavailable
from runtime.lifecycle.clean_up import retry_clean_ups
from runtime.store.journal import Intent, IntentKind
from runtime.tests.lifecycle.rig import Rig


async def with_failed_run(rig: Rig, *, times: int) -> None:
    rig.host.fail("make_pod_files")
    rig.network.fail("detach", times=times)
    with pytest.raises(PodRuntimeError):
        await rig.pod()


async def test_a_failed_clean_up_is_done_at_the_next_try(rig: Rig) -> None:
    await with_failed_run(rig, times=1)
    assert rig.node.pending
    await retry_clean_ups(rig.node)
    assert rig.left() == {}
    assert rig.node.db.load().intents == ()


async def test_one_that_fails_again_is_written_down_again(rig: Rig) -> None:
    await with_failed_run(rig, times=1)
    rig.network.fail("detach", Unavailable("cni DEL", "still no answer"))
    await retry_clean_ups(rig.node)
    (intent,) = rig.node.db.load().intents
    assert "still no answer" in intent.failed_steps[0]
    await retry_clean_ups(rig.node)
    assert rig.left() == {}


async def test_those_of_one_pod_can_be_tried_alone(rig: Rig) -> None:
    await with_failed_run(rig, times=1)
    await retry_clean_ups(rig.node, sandbox_id="f" * 64)
    assert rig.node.pending
    (intent,) = rig.node.pending.values()
    await retry_clean_ups(rig.node, sandbox_id=intent.object_id)
    assert not rig.node.pending


async def test_a_row_without_a_record_is_told_and_kept(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    row = Intent(kind=IntentKind.RUN, object_id="x", started_at_ns=1)
    rig.node.pending[row.key] = row
    await retry_clean_ups(rig.node)
    assert "holds no record" in caplog.text
    assert row.key in rig.node.pending


async def test_a_database_that_fails_stops_nothing(
    rig: Rig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise Unavailable("state database", "the disk is full")

    await with_failed_run(rig, times=1)
    with monkeypatch.context() as patch:
        patch.setattr(rig.node.db, "commit", full)
        await retry_clean_ups(rig.node)
    assert "the disk is full" in caplog.text
    await retry_clean_ups(rig.node)
    assert rig.node.db.load().intents == ()
