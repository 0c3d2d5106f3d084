"""Tests of the choice of the default handler."""

from dataclasses import replace

import pytest

from runtime.drivers.driver import DriverFeatures
from runtime.drivers.handler_choice import choose_default_handler

GOOD = DriverFeatures(
    version="1", recursive_read_only_mounts=True, user_namespaces=True, mount_options=True
)
BAD = replace(GOOD, usable=False, reason="hybrid cgroups")


@pytest.mark.parametrize(
    ("features", "configured", "name", "reason"),
    [
        ({"runc": GOOD, "crun": GOOD}, "", "crun", "crun is preferred"),
        ({"runc": GOOD, "crun": BAD}, "", "runc", "not used: crun: hybrid cgroups"),
        ({"kata": GOOD}, "", "kata", "kata is preferred"),
        ({"kata": GOOD, "runc": GOOD}, "", "runc", "runc is preferred"),
        ({"crun": BAD}, "", "", "no handler can be used: crun: hybrid cgroups"),
        ({}, "", "", "no handler can be used: no handler is configured"),
        ({"runc": GOOD, "crun": GOOD}, "runc", "runc", "runc is the configured default"),
        ({"runc": GOOD, "crun": BAD}, "crun", "", "cannot be used: hybrid cgroups"),
        ({"runc": GOOD}, "crun", "", "crun is not configured"),
    ],
)
def test_choice(
    features: dict[str, DriverFeatures], configured: str, name: str, reason: str
) -> None:
    choice = choose_default_handler(features, configured=configured)
    assert choice.name == name
    assert reason in choice.reason
