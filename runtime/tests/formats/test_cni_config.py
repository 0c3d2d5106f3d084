"""Network configurations, and what plugins are given."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.formats.cni_config import (
    CONFIGURATION_LIMIT,
    SUPPORTED_VERSIONS,
    parse_configuration,
    plugin_input,
)

PLUGINS = [
    {"type": "bridge", "bridge": "b0", "ipam": {"type": "host-local"}},
    {"type": "portmap", "capabilities": {"portMappings": True, "bandwidth": False}},
]


def conflist(**changes: object) -> str:
    document: dict[str, object] = {"cniVersion": "1.0.0", "name": "net", "plugins": PLUGINS}
    return json.dumps(
        {key: value for key, value in (document | changes).items() if value != "DROP"}
    )


def test_list_is_read() -> None:
    network = parse_configuration(conflist(disableCheck=True))
    assert (network.name, network.version, network.disable_check) == ("net", "1.0.0", True)
    assert [plugin.type for plugin in network.plugins] == ["bridge", "portmap"]
    assert network.plugins[1].capabilities == {"portMappings"}
    assert network.program_names() == ("bridge", "host-local", "portmap")


def test_single_plugin_becomes_a_list_of_one() -> None:
    network = parse_configuration('{"cniVersion": "0.3.1", "name": "one", "type": "ptp"}')
    assert [plugin.type for plugin in network.plugins] == ["ptp"]
    assert parse_configuration(network.text).plugins[0].type == "ptp"


def test_normal_form_is_read_back_the_same() -> None:
    network = parse_configuration(conflist(disableCheck=True).encode())
    assert parse_configuration(network.text) == network


@pytest.mark.parametrize(
    ("changes", "version"),
    [
        ({"cniVersions": ["0.4.0", "1.1.0", "2.0.0"]}, "1.1.0"),
        ({"cniVersion": "DROP", "cniVersions": ["0.3.0", "0.3.1"]}, "0.3.1"),
        ({"cniVersion": "0.4.0"}, "0.4.0"),
    ],
)
def test_newest_common_version_is_spoken(changes: dict[str, object], version: str) -> None:
    assert parse_configuration(conflist(**changes)).version == version


def test_versions_are_compared_by_age() -> None:
    network = parse_configuration(conflist(cniVersion="0.4.0"))
    assert network.at_least("0.3.1")
    assert network.at_least("0.4.0")
    assert not network.at_least("1.0.0")
    assert SUPPORTED_VERSIONS[0] == "0.3.0"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a JSON object"),
        ('"' + "x" * CONFIGURATION_LIMIT + '"', "larger than"),
        (conflist(name="DROP"), "name"),
        (conflist(name="a/b"), "name"),
        (conflist(name=5), "name"),
        (conflist(plugins="DROP"), "plugins is missing"),
        (conflist(plugins=[]), "plugins is missing"),
        (conflist(plugins={}), "plugins is missing"),
        (conflist(plugins=["bridge"]), r"plugins\[0\] is not an object"),
        (conflist(plugins=[{}]), r"plugins\[0\].type is null"),
        (conflist(plugins=[{"type": "../../bin/sh"}]), "not the plain name"),
        (conflist(plugins=[{"type": ".."}]), "not the plain name"),
        (conflist(plugins=[{"type": "/bin/sh"}]), "not the plain name"),
        (conflist(plugins=[{"type": "a\nb"}]), "not the plain name"),
        (conflist(plugins=[{"type": "a", "ipam": {"type": "../x"}}]), r"ipam\.type"),
        (conflist(plugins=[{"type": "a", "ipam": {"type": 7}}]), r"ipam\.type"),
        (conflist(plugins=[{"type": "a", "capabilities": []}]), "capabilities"),
        (conflist(cniVersion="DROP"), "cniVersion 0.1.0"),
        (conflist(cniVersion="9.0.0"), "cniVersion 9.0.0"),
        (conflist(cniVersion="DROP", cniVersions=3), "cniVersion 3"),
    ],
)
def test_unusable_configuration_is_refused_with_its_field(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_configuration(text)


def test_ipam_that_is_no_object_is_left_to_the_plugin() -> None:
    network = parse_configuration(conflist(plugins=[{"type": "a", "ipam": "x"}]))
    assert network.plugins[0].ipam_type == ""


def test_plugin_gets_only_what_it_declares() -> None:
    network = parse_configuration(conflist())
    arguments = {"portMappings": [{"hostPort": 80}], "bandwidth": {"ingressRate": 1}, "dns": {}}
    first = json.loads(
        plugin_input(
            network, network.plugins[0], capability_arguments=arguments, previous_result=None
        )
    )
    assert first == {**PLUGINS[0], "name": "net", "cniVersion": "1.0.0"}
    second = json.loads(
        plugin_input(
            network,
            network.plugins[1],
            capability_arguments=arguments,
            previous_result={"ips": []},
        )
    )
    assert second == {
        "type": "portmap",
        "name": "net",
        "cniVersion": "1.0.0",
        "runtimeConfig": {"portMappings": [{"hostPort": 80}]},
        "prevResult": {"ips": []},
    }


@given(st.text(max_size=80) | st.binary(max_size=80))
def test_nothing_but_value_error_is_raised(text: str | bytes) -> None:
    try:
        parse_configuration(text)
    except ValueError:
        return
    raise AssertionError("random text was taken for a configuration")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(name=_JSON, version=_JSON, plugins=_JSON, capabilities=_JSON)
def test_any_json_is_taken_or_refused(
    name: object, version: object, plugins: object, capabilities: object
) -> None:
    for entries in (plugins, [{"type": "a", "capabilities": capabilities, "ipam": plugins}]):
        try:
            network = parse_configuration(conflist(name=name, cniVersions=version, plugins=entries))
        except ValueError:
            continue
        assert parse_configuration(network.text) == network
