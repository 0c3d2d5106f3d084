"""errno becomes OSError, and OSError becomes an error of ours."""

import errno

import pytest

from runtime.errors import (
    AlreadyExists,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    PodRuntimeError,
    ResourceExhausted,
    Unavailable,
    Unimplemented,
)
from runtime.host.system_call import error_of, kernel_call, libc_call, told_as


def test_failed_call_raises_with_its_errno() -> None:
    with pytest.raises(FileNotFoundError, match="umount2"):
        libc_call("umount2", b"/no/such/place/at/all", 0)
    with pytest.raises(OSError, match="system call") as told:
        kernel_call(-1)
    assert told.value.errno == errno.ENOSYS


def test_successful_call_gives_its_result() -> None:
    assert libc_call("getppid") > 0


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOENT, NotFound),
        (errno.EEXIST, AlreadyExists),
        (errno.ENOSPC, ResourceExhausted),
        (errno.ELOOP, InvalidArgument),
        (errno.EPERM, FailedPrecondition),
        (errno.ENOSYS, Unimplemented),
        (errno.EIO, Unavailable),
        (errno.EDOM, Internal),
    ],
)
def test_class_says_what_to_do(number: int, kind: type[PodRuntimeError]) -> None:
    error = error_of(OSError(number, "Some Text"), "mount x")
    assert type(error) is kind
    assert str(error).startswith("mount x: some text")


def test_remedy_is_ours_or_the_callers() -> None:
    assert "CAP_SYS_ADMIN" in str(error_of(OSError(errno.EPERM, "no"), "x"))
    assert "do that" in str(error_of(OSError(errno.EPERM, "no"), "x", remedy="do that"))


def test_only_os_errors_are_turned() -> None:
    with pytest.raises(NotFound), told_as("x"):
        raise FileNotFoundError(errno.ENOENT, "gone")
    with pytest.raises(InvalidArgument), told_as("x"):
        raise InvalidArgument("a", "b")
    with pytest.raises(Internal, match="plain text"), told_as("x"):
        raise OSError("plain text")
