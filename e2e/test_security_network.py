"""Security rules I1, I2, J1 and J2 on real runtimes: plugins by plain name, router adverts, and files that have an end."""

from __future__ import annotations

import io
import json
import os
import secrets
import tarfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from cri.api import api_pb2
from e2e.daemon import Lading
from e2e.images.layer import GZIP, Layer, compress, digest_of, regular
from e2e.kubelet_requests import ContainerShape, pod_config
from e2e.looking_inside import bundle_of, of_image, output
from e2e.made_images import SHELL, made_image
from e2e.node import Node, refused, wait_program
from e2e.session import Session
from e2e.test_bad_surroundings import troubled_node

INVALID = grpc.StatusCode.INVALID_ARGUMENT
ANY_REFUSAL = tuple(code for code in grpc.StatusCode if code != grpc.StatusCode.OK)
MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30


# --- I1: a CNI plugin's type is a plain name


def with_network(folder: Path, content: dict[str, object]) -> Callable[[Lading], None]:
    """Return a change of settings to a network of one's own; its plugins' folder is `folder`/a/bin."""
    configuration, plugins = folder / "net.d", folder / "a" / "bin"
    for path in (configuration, plugins):
        path.mkdir(parents=True, exist_ok=True)
    (configuration / "10-own.conflist").write_text(json.dumps(content))

    def prepare(daemon: Lading) -> None:
        table = daemon.section("network")
        table["cni_conf_dir"] = str(configuration)
        table["cni_bin_dirs"] = [str(plugins)]

    return prepare


BAD_TYPES = ("../evil", "../../bin/sh", "/bin/sh", "x/../../evil", ".", "..")


@pytest.mark.parametrize(
    ("type", "place"),
    # An empty type of ipam means that none is wanted.
    [("", "plugin"), *((type, place) for type in BAD_TYPES for place in ("plugin", "ipam"))],
)
def test_i1_plugin_that_is_no_plain_name_is_never_run(
    session: Session, type: str, place: str
) -> None:
    folder = session.workspace.folder(f"network-{secrets.token_hex(3)}")
    plugin: dict[str, object] = {"type": type}
    if place == "ipam":
        plugin = {"type": "good", "ipam": {"type": type}}
    prepare = with_network(folder, {"cniVersion": "1.0.0", "name": "own", "plugins": [plugin]})
    for program in (folder / "a" / "evil", folder / "evil", folder / "a" / "bin" / "good"):
        program.write_text(f"#!/bin/sh\ntouch {folder}/was-run\n")
        program.chmod(0o755)
    with troubled_node(session, prepare, image="") as node:
        with refused(*ANY_REFUSAL, says="plain name"):
            node.client.run_pod(pod_config(node.shape()))
        status = node.client.runtime.Status(api_pb2.StatusRequest(), timeout=20).status
        conditions = {condition.type: condition for condition in status.conditions}
        assert not conditions["NetworkReady"].status
        assert "plain name" in conditions["NetworkReady"].message
        node.client.remove_everything()
    assert not (folder / "was-run").exists()


# --- I2: router adverts


def test_i2_pod_takes_no_router_adverts_and_has_no_ipv6_it_did_not_ask_for(
    each_node: Node,
) -> None:
    container_id = each_node.run().started()
    base = "/proc/sys/net/ipv6/conf"
    for name in ("all", "default", "eth0"):
        assert output(each_node, container_id, "cat", f"{base}/{name}/accept_ra") == "0"
    assert output(each_node, container_id, "cat", f"{base}/eth0/disable_ipv6") == "1"
    assert "inet6" not in output(each_node, container_id, "ip", "addr", "show", "eth0")
    # Programs may still speak to themselves.
    assert output(each_node, container_id, "cat", f"{base}/lo/disable_ipv6") == "0"


def test_i2_pod_whose_network_gives_ipv6_has_it_and_takes_no_router_adverts(
    session: Session,
) -> None:
    folder = session.workspace.folder(f"network-{secrets.token_hex(3)}")
    ipam = {
        "type": "host-local",
        "dataDir": str(folder / "leases"),
        "ranges": [[{"subnet": "10.212.0.0/24"}], [{"subnet": "fd00:212::/64"}]],
    }
    bridge = f"{session.workspace.name}6"
    plugin = {"type": "bridge", "bridge": bridge, "isGateway": True, "ipam": ipam}
    content: dict[str, object] = {"cniVersion": "1.0.0", "name": "six", "plugins": [plugin]}
    prepare = with_network(folder, content)

    def with_real_plugins(daemon: Lading) -> None:
        prepare(daemon)
        daemon.section("network")["cni_bin_dirs"] = [str(session.network.plugins)]

    with troubled_node(session, with_real_plugins) as node:
        pod = node.run()
        status = node.client.pod_status(pod.id).network
        assert any(":" in one.ip for one in status.additional_ips)
        container_id = pod.started()
        base = "/proc/sys/net/ipv6/conf/eth0"
        assert output(node, container_id, "cat", f"{base}/accept_ra") == "0"
        assert output(node, container_id, "cat", f"{base}/disable_ipv6") == "0"
        assert "fd00:212" in output(node, container_id, "ip", "addr", "show", "eth0")
        pod.remove()
        os.system(f"ip link delete {bridge}")


# --- J1: passwd and group are read up to 10 MiB


def resident_kilobytes(node: Node) -> int:
    """Return the most memory that the daemon had since it was last asked, and ask anew."""
    assert isinstance(node.daemon, Lading)
    place = Path(f"/proc/{node.daemon.process.pid}")
    lines = (place / "status").read_text().splitlines()
    highest = int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
    (place / "clear_refs").write_text("5")  # proc_pid_clear_refs(5): VmHWM begins again at VmRSS
    return highest


def sparse_layer(path: str, size: int) -> Layer:
    """Return a layer with one file that is a hole (GNU tar's sparse format 1.0 in pax headers)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo(f"GNUSparseFile.0/{Path(path).name}")
        map_block = b"1\n%d\n0\n" % size
        member.size = 512
        member.pax_headers = {
            "GNU.sparse.major": "1",
            "GNU.sparse.minor": "0",
            "GNU.sparse.name": path,
            "GNU.sparse.realsize": str(size),
        }
        archive.addfile(member, io.BytesIO(map_block.ljust(512, b"\0")))
    plain = buffer.getvalue()
    return Layer(blob=compress(plain, GZIP), compression=GZIP, diff_id=digest_of(plain))


@pytest.mark.parametrize("name", ["passwd", "group"])
def test_j1_five_gibibytes_of_nothing_are_refused_and_take_no_memory(node: Node, name: str) -> None:
    layer = sparse_layer(f"etc/{name}", 5 * GIBIBYTE)
    with made_image(node, [], replace(SHELL, user="root"), layer) as image:
        pod = node.run()
        resident_kilobytes(node)
        before = resident_kilobytes(node)
        with refused(INVALID, says=f"etc/{name}"):
            pod.create_changed(of_image, ContainerShape(image=image))
        assert resident_kilobytes(node) < before + 16 * 1024
        assert node.client.containers() == []


@pytest.mark.parametrize("name", ["passwd", "group"])
def test_j1_file_above_ten_mebibytes_is_refused_and_one_below_is_read(
    node: Node, name: str
) -> None:
    line = b"x%07d:x:%d:0::/:/bin/sh\n" if name == "passwd" else b"x%07d:x:%d:\n"
    for size, fits in ((9 * MEBIBYTE, True), (11 * MEBIBYTE, False)):
        count = size // len(line % (0, 1000000))
        text = b"".join(line % (number, 1000000 + number) for number in range(count))
        last = b"app:x:77:77::/:/bin/sh\n" if name == "passwd" else b"app:x:77:\n"
        files = {"passwd": b"app:x:77:77::/:/bin/sh\n", "group": b"app:x:77:\n"}
        entries = [regular(f"etc/{n}", content) for n, content in files.items() if n != name]
        entries.append(regular(f"etc/{name}", text + last))
        with made_image(node, entries, replace(SHELL, user="app:app")) as image:
            pod = node.run()
            if fits:
                container_id = pod.create_changed(of_image, ContainerShape(image=image))
                node.client.start(container_id)
                wait_program(node.client, container_id, "sleep")
                assert output(node, container_id, "grep", "^Uid", "/proc/1/status").split()[1] == (
                    "77"
                )
            else:
                with refused(INVALID, says=f"etc/{name}"):
                    pod.create_changed(of_image, ContainerShape(image=image))


# --- J2: nothing that a pod writes fills the host; ranges are never expanded


@pytest.mark.parametrize(
    "cpus", ["0-999999999999", "0-18446744073709551615", "4294967296", "0,1-99999999", "1-0", "x"]
)
@pytest.mark.parametrize("field", ["cpuset_cpus", "cpuset_mems"])
def test_j2_endless_range_is_refused_at_once(node: Node, field: str, cpus: str) -> None:
    def change(config: api_pb2.ContainerConfig) -> None:
        setattr(config.linux.resources, field, cpus)

    pod = node.run()
    begin = time.monotonic()
    with refused(INVALID):
        pod.create_changed(change)
    container_id = pod.started(ContainerShape(name="plain"))
    resources = api_pb2.LinuxContainerResources(**{field: cpus})  # type: ignore[arg-type]
    with refused(INVALID):
        node.client.runtime.UpdateContainerResources(
            api_pb2.UpdateContainerResourcesRequest(container_id=container_id, linux=resources),
            timeout=60,
        )
    assert time.monotonic() - begin < 60  # hours, if it were written out


@pytest.mark.parametrize(
    ("place", "limit"),
    [
        ("/etc/resolv.conf", 2 * MEBIBYTE),
        ("/etc/hosts", 2 * MEBIBYTE),
        ("/etc/hostname", 2 * MEBIBYTE),
        ("/dev/shm/file", 65 * MEBIBYTE),
    ],
)
def test_j2_pod_file_that_is_filled_leaves_the_hosts_memory_free(
    each_node: Node, place: str, limit: int
) -> None:
    container_id = each_node.run().started()
    command = ["dd", "if=/dev/zero", f"of={place}", "bs=1M", "count=256"]
    answer = each_node.client.exec_sync(container_id, command)
    assert answer.exit_code != 0
    assert b"No space" in answer.stderr
    assert int(output(each_node, container_id, "stat", "-c", "%s", place)) <= limit
    assert stored_below(bundle_of(each_node, container_id).parents[1]) < 64 * MEBIBYTE
    each_node.run(each_node.shape("other")).started()


def stored_below(place: Path) -> int:
    """Return the bytes of one file system below a directory, without what is mounted there."""
    device = place.stat().st_dev
    total = 0
    for _, children, _, handle in os.fwalk(place):
        if os.fstat(handle).st_dev != device:
            children.clear()
            continue
        for name in os.listdir(handle):
            with suppress(FileNotFoundError):  # files of a daemon at work
                found = os.stat(name, dir_fd=handle, follow_symlinks=False)
                total += found.st_blocks * 512 if found.st_dev == device else 0
    return total


def test_j2_files_of_one_pod_are_not_those_of_another(each_node: Node) -> None:
    full, other = each_node.run(each_node.shape("full")), each_node.run(each_node.shape("other"))
    filled, free = full.started(), other.started()
    fill = "for f in hosts resolv.conf hostname; do cat /dev/zero > /etc/$f; done 2>/dev/null; true"
    each_node.client.exec_sync(filled, ["sh", "-c", fill])
    assert output(each_node, free, "sh", "-c", "echo 1.2.3.4 x >> /etc/hosts; tail -1 /etc/hosts")
    late = full.started(ContainerShape(name="late"))
    assert each_node.client.exec_sync(late, ["true"]).exit_code == 0
