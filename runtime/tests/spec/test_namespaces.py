"""Namespaces: joined, new, or the host's."""

from dataclasses import replace

import pytest

from runtime.records.security import ContainerSecurity
from runtime.spec import namespaces
from runtime.spec.document import Spec, apply, objects_at, value_at
from runtime.spec.request import NamespacePaths
from runtime.tests.spec.samples import CONTAINER, HOST, MAPPED_POD, MAPPING, plain_request

PINS = NamespacePaths(network="/ns/net", ipc="/ns/ipc", uts="/ns/uts", pid="/ns/pid")
MAPPED_JSON = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def _found(spec: Spec) -> dict[str, str]:
    entries = objects_at(spec, "linux", "namespaces")
    return {str(entry["type"]): str(entry.get("path", "")) for entry in entries}


def test_pins_are_joined_and_the_rest_is_new() -> None:
    spec = apply({}, *namespaces.namespace_options(replace(plain_request(), namespaces=PINS)))
    assert _found(spec) == {
        "network": "/ns/net",
        "ipc": "/ns/ipc",
        "uts": "/ns/uts",
        "pid": "/ns/pid",
        "mount": "",
        "cgroup": "",
    }
    assert "hostname" not in spec


def test_host_flags_leave_namespaces_out() -> None:
    paths = NamespacePaths(host_network=True, host_ipc=True, host_uts=True, host_pid=True)
    spec = apply({}, *namespaces.namespace_options(replace(plain_request(), namespaces=paths)))
    assert set(_found(spec)) == {"mount", "cgroup"}
    assert "hostname" not in spec


def test_new_uts_namespace_gets_the_hostname() -> None:
    spec = apply({}, *namespaces.namespace_options(plain_request()))
    assert spec["hostname"] == "web"
    nameless = replace(plain_request(), hostname="")
    assert "hostname" not in apply({}, *namespaces.namespace_options(nameless))


@pytest.mark.parametrize(
    ("version", "privileged", "has"), [(2, False, True), (2, True, False), (1, False, False)]
)
def test_cgroup_namespace_is_for_plain_containers_on_v2(
    version: int, privileged: bool, has: bool
) -> None:
    container = replace(CONTAINER, security=ContainerSecurity(privileged=privileged))
    host = replace(HOST, cgroup_version=version)
    request = replace(plain_request(container), host=host)
    entries = namespaces.container_namespaces(request)
    assert ({"type": "cgroup"} in entries) is has


def test_user_namespace_has_path_and_mappings() -> None:
    request = replace(plain_request(sandbox=MAPPED_POD), namespaces=NamespacePaths(user="/ns/user"))
    spec = apply({}, *namespaces.namespace_options(request))
    assert _found(spec)["user"] == "/ns/user"
    assert value_at(spec, "linux", "uidMappings") == MAPPED_JSON
    assert value_at(spec, "linux", "gidMappings") == MAPPED_JSON


def test_general_options_set_replace_and_remove() -> None:
    spec = apply(
        {},
        namespaces.with_namespace("network"),
        namespaces.with_namespace("pid", "/old"),
        namespaces.with_namespace("pid", "/new"),
    )
    assert _found(spec) == {"network": "", "pid": "/new"}
    assert _found(namespaces.with_host_network()(spec)) == {"pid": "/new"}


def test_mappings_are_exact_and_separate() -> None:
    other = replace(MAPPING, host_id=7)
    spec = namespaces.with_user_namespace((MAPPING, MAPPING), (other,))({})
    assert value_at(spec, "linux", "uidMappings") == MAPPED_JSON * 2
    assert value_at(spec, "linux", "gidMappings") == [
        {"containerID": 0, "hostID": 7, "size": 65536}
    ]
    emptied = namespaces.with_id_mappings((), (MAPPING,))(spec)
    assert value_at(emptied, "linux", "uidMappings") is None
    assert value_at(emptied, "linux", "gidMappings") == MAPPED_JSON
