"""Whether a directory can hold writable layers; the kernel itself is asked end to end."""

import errno
from pathlib import Path

import pytest

from runtime.errors import InvalidArgument
from runtime.host import upper_probe
from runtime.host.host import OverlayMount
from runtime.host.upper_probe import why_no_upper


@pytest.fixture(autouse=True)
def _no_unmount(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upper_probe, "unmount_all", lambda target: 0)


def test_a_directory_that_works_has_no_reason_against_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def show(mount: OverlayMount) -> None:
        mount.target.mkdir()
        (mount.target / "file").touch()

    monkeypatch.setattr(upper_probe, "mount_overlay", show)
    assert why_no_upper(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EINVAL, "Invalid argument"), "overlay mount: Invalid argument"),
        (InvalidArgument("root filesystem", "has 501 layers"), "has 501 layers"),
    ],
    ids=["kernel", "ours"],
)
def test_a_refusal_is_the_reason_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def refuse(mount: OverlayMount) -> None:
        raise error

    monkeypatch.setattr(upper_probe, "mount_overlay", refuse)
    assert said in why_no_upper(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_deleted_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upper_probe, "mount_overlay", lambda mount: mount.target.mkdir())
    assert "No such file" in why_no_upper(tmp_path)
