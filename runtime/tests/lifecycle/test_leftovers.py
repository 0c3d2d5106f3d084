"""Leftovers are what nothing knows, and one that stays stops no other."""

import pytest

from runtime.lifecycle.leftovers import Leftovers, find_leftovers, remove_leftovers
from runtime.tests.lifecycle.rig import Rig

STRAY, OTHER = "e" * 64, "f" * 64


async def test_what_is_known_is_no_leftover(rig: Rig) -> None:
    pod = await rig.pod()
    container = await rig.container(pod)
    known = frozenset((pod.id, container.id))
    rig.node.paths.namespaces(STRAY).mkdir()
    rig.node.paths.bundle(STRAY).mkdir()
    found = find_leftovers(rig.node, [OTHER, container.id], known)
    assert found == Leftovers(sandboxes=(STRAY,), containers=(STRAY, OTHER))
    assert found
    assert not find_leftovers(rig.node, [], known | {STRAY})


async def test_one_that_cannot_be_removed_is_told_and_stops_no_other(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    for id in (STRAY, OTHER):
        rig.node.paths.layer(id).mkdir()
    rig.host.fail("unmount_below")
    await remove_leftovers(rig.node, Leftovers(containers=(STRAY, OTHER), sandboxes=(STRAY,)))
    assert f"leftover {STRAY} stays" in caplog.text
    assert rig.node.paths.layer(STRAY).exists()
    assert not rig.node.paths.layer(OTHER).exists()
