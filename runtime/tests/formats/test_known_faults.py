"""Which runtime versions are told to have published faults."""

import pytest

from runtime.formats.known_faults import KNOWN_FAULTS, faults_of


def ids(version: str) -> list[str]:
    return [fault.ids for fault in faults_of(version)]


LINKS = "CVE-2025-31133, CVE-2025-52565, CVE-2025-52881"


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("runc 1.1.11", ["CVE-2024-21626", LINKS, "CVE-2026-41579"]),
        ("runc 1.1.12+ds1", [LINKS, "CVE-2026-41579"]),
        ("runc 1.2.8", ["CVE-2026-41579"]),
        ("runc 1.3.2", [LINKS, "CVE-2026-41579"]),
        ("runc 1.3.6", []),
        ("runc 1.4.0-rc.2", [LINKS, "CVE-2026-41579"]),
        ("runc 1.4.3", ["CVE-2026-41579"]),
        ("runc 1.5.0-rc.3", ["CVE-2026-41579"]),
        ("runc 1.5", []),
        ("runc 1.5.2", []),
        ("runc 2.0.0", []),
        ("crun 1.4.3", ["CVE-2022-27650"]),
        ("crun 1.8.1", []),
        ("youki 0.1.0", []),
        ("no version", []),
        ("", []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_e4_a_version_is_told_with_its_open_faults(version: str, told: list[str]) -> None:
    assert ids(version) == told


def test_each_fault_lists_its_mended_branches_in_order() -> None:
    for fault in KNOWN_FAULTS:
        assert list(fault.fixed) == sorted(fault.fixed)
        assert fault.effect
