"""Options of the windows section."""

from runtime.spec import windows
from runtime.spec.compose import generate_spec
from runtime.spec.document import value_at


def test_options_fill_the_windows_section() -> None:
    spec = generate_spec(
        "windows",
        windows.with_layer_folders(["C:\\a", "C:\\b"]),
        windows.with_windows_cpu(count=2),
        windows.with_windows_cpu(),
        windows.with_windows_memory_limit(7),
        windows.with_command_line("cmd /c dir"),
        windows.with_network_namespace("ns"),
        windows.with_hyperv_isolation("C:\\vm"),
    )
    assert spec["windows"] == {
        "layerFolders": ["C:\\a", "C:\\b"],
        "resources": {"cpu": {"count": 2}, "memory": {"limit": 7}},
        "network": {"networkNamespace": "ns"},
        "hyperv": {"utilityVMPath": "C:\\vm"},
    }
    assert value_at(spec, "process", "commandLine") == "cmd /c dir"
    assert "linux" not in spec


def test_hyperv_needs_no_path() -> None:
    assert windows.with_hyperv_isolation()({}) == {"windows": {"hyperv": {}}}
