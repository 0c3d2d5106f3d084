"""Handlers that cannot be asked are tried behind the start."""

from dataclasses import replace

from runtime.lifecycle.handler_features import complete_features
from runtime.tests.fakes.fake_driver import FEATURES
from runtime.tests.lifecycle.rig import Rig

NOT_YET = replace(FEATURES, recursive_read_only_mounts=False, user_namespaces=False, untried=True)


def show(rig: Rig, **changes: object) -> str:
    [name] = rig.node.drivers
    rig.node.features = {name: replace(NOT_YET, **changes)}  # type: ignore[arg-type]
    return name


async def test_what_a_trial_found_is_shown(rig: Rig) -> None:
    name = show(rig)
    await complete_features(rig.node)
    found = rig.node.features[name]
    assert found.recursive_read_only_mounts
    assert not found.untried
    assert found.version == FEATURES.version
    assert not found.user_namespaces  # decided elsewhere


async def test_what_is_known_or_useless_is_not_tried(rig: Rig) -> None:
    show(rig, untried=False)
    await complete_features(rig.node)
    show(rig, usable=False)
    await complete_features(rig.node)
    assert "try_features" not in rig.driver.calls


async def test_a_trial_that_fails_leaves_the_honest_no(rig: Rig) -> None:
    name = show(rig)
    rig.driver.fail("try_features")
    await complete_features(rig.node)
    assert rig.node.features[name] == NOT_YET


async def test_it_happens_at_every_start(rig: Rig) -> None:
    name = show(rig)
    await rig.restart()
    assert name in rig.node.features
