"""Specs against two judges that are not ours: the OCI's own JSON schema, and real OCI runtimes.

The schema is looked for in LADING_RUNTIME_SPEC_SCHEMA (a folder with config-schema.json), else in the Go module cache, where
`go mod download github.com/opencontainers/runtime-spec@v1.2.1` puts it. The runs need root and Debian's busybox-static.
"""

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft4Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

from e2e.tool_paths import MissingTool, system_tool
from runtime.records.container import ContainerConfig, Mount, MountPropagation
from runtime.records.resources import HugepageLimit, LinuxResources
from runtime.records.sandbox import LinuxSandboxConfig
from runtime.records.security import (
    Capabilities,
    ContainerSecurity,
    ProfileKind,
    SandboxSecurity,
    SecurityProfile,
)
from runtime.spec.compose import container_spec, generate_spec
from runtime.spec.document import Spec
from runtime.spec.request import (
    HandlerSettings,
    NamespacePaths,
    PodFiles,
    ResolvedDevice,
    ResolvedMount,
    ResolvedVolume,
    Rlimit,
    SpecRequest,
)
from runtime.spec.user import resolve_user
from runtime.spec.whole_spec import spec_text
from runtime.tests.spec.samples import ABLE, CONTAINER, MAPPED_POD, MAPPING, POD, plain_request

SCHEMA_VERSION = "v1.2.1"
DEFAULT_SECCOMP = SecurityProfile(kind=ProfileKind.RUNTIME_DEFAULT)
PRIVILEGED_POD = replace(POD, linux=LinuxSandboxConfig(security=SandboxSecurity(privileged=True)))
FUSE = ResolvedDevice(path="/dev/fuse", type="c", major=10, minor=229)
NULL = ResolvedDevice(path="/dev/null", type="c", major=1, minor=3)


def _full_request() -> SpecRequest:
    mount = Mount(
        container_path="/m",
        host_path="/h",
        readonly=True,
        recursive_read_only=True,
        uid_mappings=(MAPPING,),
        gid_mappings=(MAPPING,),
    )
    container = replace(
        CONTAINER,
        tty=True,
        mounts=(mount,),
        resources=LinuxResources(
            cpu_period_us=100000,
            cpu_quota_us=20000,
            cpu_shares=2,
            memory_limit_bytes=64 << 20,
            cpuset_cpus="0",
            cpuset_mems="0",
            hugepage_limits=(HugepageLimit(page_size="2MB", limit_bytes=0),),
            unified=(("memory.high", "1"),),
            pids_limit=9,
        ),
        security=ContainerSecurity(
            seccomp=DEFAULT_SECCOMP,
            masked_paths=("/proc/kcore",),
            readonly_paths=("/proc/sys",),
            capabilities=Capabilities(add=("ALL",), add_ambient=("KILL",)),
        ),
    )
    return replace(
        plain_request(container, MAPPED_POD),
        mounts=(ResolvedMount(mount=mount, source="/h"),),
        volumes=(ResolvedVolume(container_path="/v", source="/s"),),
        devices=(FUSE,),
        namespaces=NamespacePaths(network="/n", ipc="/i", uts="/u", pid="/p", user="/us"),
        pod_files=PodFiles(hostname="/h", resolv_conf="/r", hosts="/o", shm="/s"),
        cgroups_path="/kubepods/x",
        features=ABLE,
        handler=HandlerSettings(
            default_rlimits=(Rlimit(type="RLIMIT_NOFILE", soft=1, hard=2),), pids_limit=5
        ),
    )


def _privileged_request() -> SpecRequest:
    container = replace(CONTAINER, security=ContainerSecurity(privileged=True))
    return replace(plain_request(container, PRIVILEGED_POD), host_devices=(FUSE, NULL))


@pytest.fixture(scope="module")
def schema() -> Draft4Validator:
    folder = _schema_folder()
    if folder is None:
        pytest.skip(
            f"go mod download github.com/opencontainers/runtime-spec@{SCHEMA_VERSION} first"
        )
    documents = {path.name: json.loads(path.read_text()) for path in folder.glob("*.json")}
    resources = [
        (name, DRAFT4.create_resource({**document, "id": name}))
        for name, document in documents.items()
    ]
    top = {**documents["config-schema.json"], "id": "config-schema.json"}
    return Draft4Validator(top, registry=Registry().with_resources(resources))


def _schema_folder() -> Path | None:
    named = os.environ.get("LADING_RUNTIME_SPEC_SCHEMA")
    cache = Path(os.environ.get("GOMODCACHE") or Path.home() / "go" / "pkg" / "mod")
    module = cache / "github.com" / "opencontainers" / f"runtime-spec@{SCHEMA_VERSION}"
    folder = Path(named) if named else module / "schema"
    return folder if (folder / "config-schema.json").is_file() else None


@pytest.mark.parametrize(
    "spec",
    [
        container_spec(plain_request()),
        container_spec(_full_request()),
        container_spec(_privileged_request()),
        generate_spec("linux", host="linux"),
    ],
    ids=["plain", "full", "privileged", "default"],
)
def test_spec_is_valid_by_the_schema(schema: Draft4Validator, spec: Spec) -> None:
    document = json.loads(spec_text(spec))
    problems = [f"{list(e.absolute_path)}: {e.message}" for e in schema.iter_errors(document)]
    assert problems == []


@pytest.fixture(params=["crun", "runc"])
def oci_runtime(request: pytest.FixtureRequest) -> Path:
    try:
        return system_tool(request.param)
    except MissingTool as error:
        pytest.skip(str(error))


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    try:
        busybox = system_tool("busybox")
    except MissingTool as error:
        pytest.skip(str(error))
    root = tmp_path / "rootfs"
    for name in ("bin", "proc", "sys", "dev", "tmp"):
        (root / name).mkdir(parents=True)
    shutil.copy(busybox, root / "bin" / "busybox")
    for applet in ("sh", "grep", "id", "touch", "ls", "ulimit", "unshare"):
        (root / "bin" / applet).symlink_to("busybox")
    return root


def _run(runtime: Path, rootfs: Path, request: SpecRequest, script: str) -> str:
    container: ContainerConfig = replace(request.container, command=("sh", "-c", script))
    user = resolve_user(container.security, "", "", "")
    spec = container_spec(replace(request, container=container, rootfs=str(rootfs), user=user))
    (rootfs.parent / "config.json").write_text(spec_text(spec))
    name = f"spec-{os.getpid()}-{runtime.name}"
    done = subprocess.run(
        [runtime, "run", "-b", rootfs.parent, name],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _plain_on_v1() -> SpecRequest:
    request = plain_request()
    return replace(request, host=replace(request.host, cgroup_version=1))


@pytest.mark.parametrize(
    ("security", "script", "lines"),
    [
        (ContainerSecurity(), "grep -E 'CapAmb|CapInh' /proc/self/status", {"0000000000000000"}),
        (ContainerSecurity(seccomp=DEFAULT_SECCOMP), "grep Seccomp: /proc/self/status", {"2"}),
        (
            ContainerSecurity(capabilities=Capabilities(drop=("ALL",))),
            "grep CapBnd /proc/self/status",
            {"0000000000000000"},
        ),
        (
            ContainerSecurity(run_as_user=1000),
            "grep CapEff /proc/self/status",
            {"0000000000000000"},
        ),
        (ContainerSecurity(run_as_user=1000, run_as_group=5), "echo x $(id -G)", {"5"}),
        (ContainerSecurity(readonly_rootfs=True), "touch /x 2>/dev/null || echo x ro", {"ro"}),
        (
            ContainerSecurity(seccomp=DEFAULT_SECCOMP),
            "unshare -U true 2>/dev/null || echo x no",
            {"no"},
        ),
        (ContainerSecurity(privileged=True), "grep Seccomp: /proc/self/status", {"0"}),
    ],
)
def test_container_runs_confined_as_asked(
    oci_runtime: Path, rootfs: Path, security: ContainerSecurity, script: str, lines: set[str]
) -> None:
    base = _plain_on_v1()
    pod = PRIVILEGED_POD if security.privileged else POD
    container = replace(base.container, security=security)
    output = _run(oci_runtime, rootfs, replace(base, container=container, sandbox=pod), script)
    assert {line.split()[-1] for line in output.splitlines()} == lines


def test_read_only_mount_cannot_be_written(oci_runtime: Path, rootfs: Path, tmp_path: Path) -> None:
    mount = Mount(
        container_path="/data",
        host_path=str(tmp_path),
        readonly=True,
        propagation=MountPropagation.HOST_TO_CONTAINER,
    )
    base = _plain_on_v1()
    request = replace(
        base,
        container=replace(base.container, mounts=(mount,)),
        mounts=(ResolvedMount(mount=mount, source=str(tmp_path)),),
    )
    assert _run(oci_runtime, rootfs, request, "touch /data/x 2>/dev/null || echo ro") == "ro\n"
