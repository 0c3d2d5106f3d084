"""What a container is made of; who gets which is in test_container_create."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.errors import FailedPrecondition, InvalidArgument, PodRuntimeError
from runtime.lifecycle.container_create import create_container
from runtime.records.container import Mount
from runtime.records.resources import HugepageLimit, LinuxResources
from runtime.records.security import ContainerSecurity
from runtime.spec.image_defaults import ImageDefaults
from runtime.tests.lifecycle.rig import IMAGE_ID, Rig, container_config, pod_config


async def test_the_user_is_looked_up_in_the_image(rig: Rig) -> None:
    pod = await rig.pod()

    async def files(root: Path, name: str, limit: int) -> bytes | None:
        texts = {
            "etc/passwd": b"app:x:1000:1001::/:/bin/sh\n",
            "etc/group": b"extra:x:5000:app\n",
        }
        assert limit == 10 * 1024 * 1024
        return texts.get(name)

    rig.host.read_below = files  # type: ignore[method-assign]
    image = ImageDefaults(cmd=("/bin/app",), user="app", stop_signal="SIGQUIT")
    id = await create_container(rig.node, pod.id, container_config(), IMAGE_ID, image)
    record = rig.node.container(id)
    assert (record.user.uid, record.user.gid, record.user.groups) == (1000, 1001, (1001, 5000))
    assert record.stop_signal == "SIGQUIT"


async def test_an_unknown_user_is_refused_and_nothing_left(rig: Rig) -> None:
    pod = await rig.pod()
    before = rig.left()
    security = ContainerSecurity(run_as_username="nobody-knows")
    with pytest.raises(InvalidArgument, match="nobody-knows"):
        await rig.container(pod, container_config(security=security))
    assert rig.left() == before


async def test_the_driver_gets_the_bundle_spec_log_and_streams(rig: Rig, tmp_path: Path) -> None:
    pod = await rig.pod(replace(pod_config(), log_directory=str(tmp_path / "logs")))
    mounts = (Mount(container_path="/data", host_path="/srv/data"),)
    config = container_config(log_path="app/0.log", tty=True, stdin=True, mounts=mounts)
    record = await rig.container(pod, config)
    (request,) = rig.driver.requests
    assert request.bundle == rig.node.paths.bundle(record.id)
    assert request.log_path == record.log_path == str(tmp_path / "logs/app/0.log")
    assert request.log_directory_fd is not None
    assert (request.terminal, request.stdin, request.stdin_once) == (True, True, False)
    linux = request.spec["linux"]
    assert isinstance(linux, dict)
    assert linux["cgroupsPath"] == record.cgroups_path == f"/lading/{record.id}"
    mounted = request.spec["mounts"]
    assert isinstance(mounted, list | tuple)
    assert ("/data", "/srv/data") in [(one["destination"], one["source"]) for one in mounted]


async def test_without_a_log_directory_or_path_there_is_no_log(rig: Rig) -> None:
    record = await rig.container(await rig.pod(), container_config(log_path="0.log"))
    assert record.log_path == ""
    assert rig.driver.requests[0].log_directory_fd is None


@pytest.mark.parametrize(
    ("log_path", "error"),
    [("../../x", InvalidArgument), ("/x", InvalidArgument), ("link/x", FailedPrecondition)],
)
async def test_a_log_path_that_leaves_the_pods_directory_is_refused(
    rig: Rig, tmp_path: Path, log_path: str, error: type[PodRuntimeError]
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "link").symlink_to(tmp_path)
    pod = await rig.pod(replace(pod_config(), log_directory=str(logs)))
    before = rig.left()
    with pytest.raises(error):
        await rig.container(pod, container_config(log_path=log_path))
    assert rig.left() == before
    assert not (tmp_path / "x").exists()


async def test_a_log_directory_that_cannot_be_made_is_told(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    pod = await rig.pod(replace(pod_config(), log_directory=str(tmp_path / "file/logs")))
    with pytest.raises(InvalidArgument, match=r"log directory .* cannot be opened"):
        await rig.container(pod, container_config(log_path="0.log"))


async def test_two_database_commits_make_a_container(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = await rig.pod()
    commits = []
    commit = rig.node.db.commit

    async def counted(*changes: object) -> None:
        commits.append(changes)
        await commit(*changes)  # type: ignore[arg-type]

    monkeypatch.setattr(rig.node.db, "commit", counted)
    await rig.container(pod)
    assert len(commits) == 2


async def test_what_this_host_cannot_give_is_told_once_per_container(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.node.host_facts = replace(
        rig.node.host_facts,
        oom_score_adj=0,
        can_lower_oom_score=False,
        cgroup_controllers=("memory",),
    )
    pages = HugepageLimit(page_size="2MB", limit_bytes=4)
    limits = LinuxResources(oom_score_adj=-500, hugepage_limits=(pages,))
    with caplog.at_level(logging.INFO, "runtime.lifecycle.container_build"):
        container = await rig.container(await rig.pod(), container_config(resources=limits))
    told = [line for line in caplog.messages if container.id in line]
    assert len(told) == 2
    assert "container default/web/app): oom_score_adj -500 was raised to 0" in told[0]
    assert "hugepage limits were left out" in told[1]
