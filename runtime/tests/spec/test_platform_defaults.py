"""Default specs by platform."""

import pytest

from runtime.errors import InvalidArgument
from runtime.spec import platform_defaults as defaults
from runtime.spec.document import objects_at, value_at


@pytest.mark.parametrize(
    ("platform", "host", "sections"),
    [
        ("linux", "linux", {"linux"}),
        ("linux/arm64", "linux", {"linux"}),
        ("linux", "windows", {"linux", "windows"}),
        ("windows", "windows", {"windows"}),
        ("windows/amd64", "linux", {"windows"}),
        ("", "windows", {"windows"}),
        ("", "linux", {"linux"}),
    ],
)
def test_platform_decides_the_sections(platform: str, host: str, sections: set[str]) -> None:
    spec = defaults.default_spec(platform, host)
    assert {"linux", "windows"} & set(spec) == sections
    assert spec["ociVersion"] == "1.0.2"


def test_windows_starts_at_its_drive() -> None:
    spec = defaults.default_spec("windows", "linux")
    assert value_at(spec, "process", "cwd") == "C:\\"
    assert "root" in spec


def test_linux_denies_all_devices_and_has_new_namespaces() -> None:
    spec = defaults.default_spec("linux", "linux")
    assert objects_at(spec, "linux", "resources", "devices") == (defaults.DENY_ALL_DEVICES,)
    kinds = [entry["type"] for entry in objects_at(spec, "linux", "namespaces")]
    assert kinds == ["pid", "ipc", "uts", "mount", "network"]
    assert value_at(spec, "process", "capabilities", "inheritable") is None


def test_unknown_platform_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="plan9"):
        defaults.default_spec("plan9", "linux")


@pytest.mark.parametrize(("name", "system"), [("linux", "linux"), ("win32", "windows")])
def test_empty_platform_means_this_host(
    name: str, system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", name)
    assert defaults.host_system() == system
    assert system in defaults.default_spec("", "")
