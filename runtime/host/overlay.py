"""Mount a container's root filesystem: an overlay of up to hundreds of layers (kernel: filesystems/overlayfs.rst).

Lower directories are shared and never written. Before the mount, /dev, /proc and /sys are made real directories in the
upper layer where an image has anything else there, so that a runtime setting them up is never led elsewhere (security
rule E4).
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from runtime.errors import InvalidArgument
from runtime.host.directories import make_directories
from runtime.host.host import OverlayMount
from runtime.host.mounts import MS_RDONLY, mount
from runtime.host.system_call import FSCONFIG, FSMOUNT, FSOPEN, MOVE_MOUNT, kernel_call
from runtime.host.upper_directory import make_upper

LAYERS_LIMIT = 500
"""OVL_MAX_STACK in fs/overlayfs; images are limited to 127 layers by most registries and tools."""

_OPTIONS_LIMIT = 4095
"""mount(2) takes one page of options including the ending NUL."""
_FSCONFIG_VALUE_LIMIT = 255
_FIXED_OPTIONS = "index=off,metacopy=off,redirect_dir=nofollow"
"""A layer's redirect and metacopy attributes are never followed (rule A4); no index, so that layers can be shared."""

_GUARDED = ("dev", "proc", "sys")
_FSCONFIG_SET_FLAG, _FSCONFIG_SET_STRING, _FSCONFIG_CMD_CREATE = 0, 1, 6
_FSOPEN_CLOEXEC = _FSMOUNT_CLOEXEC = 1
_MOUNT_ATTR_RDONLY = 1
_MOVE_MOUNT_F_EMPTY_PATH = 4
_AT_FDCWD = -100


def mount_overlay(wanted: OverlayMount) -> None:
    """Make the missing directories and mount.

    Raises:
        InvalidArgument: no layer, or more than the kernel takes.
        OSError: the kernel refused.
    """
    if not 0 < len(wanted.lower) <= LAYERS_LIMIT:
        raise InvalidArgument(
            f"root filesystem {wanted.target}",
            f"has {len(wanted.lower)} layers; an overlay takes 1 to {LAYERS_LIMIT}",
            reason="BadLayerCount",
        )
    for directory in (wanted.target, wanted.work, wanted.upper.parent):
        make_directories(directory, 0o700)
    make_upper(wanted.upper, wanted.lower[0], lambda: _guard_special_directories(wanted))
    options = _option_text(wanted, [os.fsencode(path) for path in wanted.lower])
    if len(options) <= _OPTIONS_LIMIT:
        _mount_by_text(wanted, options)
    else:
        _mount_many_layers(wanted)


def _mount_by_text(wanted: OverlayMount, options: bytes) -> None:
    flags = MS_RDONLY if wanted.readonly else 0
    mount("overlay", str(wanted.target), "overlay", flags, os.fsdecode(options))


def _mount_many_layers(wanted: OverlayMount) -> None:
    try:
        _mount_by_configuration(wanted)
    except OSError as error:
        # lowerdir+ came with Linux 6.8; a path may also be too long for fsconfig (256 bytes).
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENAMETOOLONG):
            raise
        with _short_names(wanted.lower) as names:
            _mount_by_text(wanted, _option_text(wanted, names))


def _option_text(wanted: OverlayMount, lower: Sequence[bytes]) -> bytes:
    joined = b":".join(_escape(name) for name in lower)
    upper = _escape(os.fsencode(wanted.upper))
    work = _escape(os.fsencode(wanted.work))
    return b"lowerdir=%b,upperdir=%b,workdir=%b,%b" % (joined, upper, work, _FIXED_OPTIONS.encode())


def _escape(name: bytes) -> bytes:
    for special in (b"\\", b":", b","):
        name = name.replace(special, b"\\" + special)
    return name


@contextmanager
def _short_names(paths: Sequence[Path]) -> Iterator[list[bytes]]:
    # /proc/self/fd/N is short and cannot be swapped; the mount table then shows these names.
    with ExitStack() as stack:
        names = []
        for path in paths:
            descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
            names.append(b"/proc/self/fd/%d" % descriptor)
        yield names


def _mount_by_configuration(wanted: OverlayMount) -> None:
    context = kernel_call(FSOPEN, b"overlay", _FSOPEN_CLOEXEC)
    try:
        for path in wanted.lower:
            _set(context, b"lowerdir+", os.fsencode(path))
        _set(context, b"upperdir", os.fsencode(wanted.upper))
        _set(context, b"workdir", os.fsencode(wanted.work))
        for option in _FIXED_OPTIONS.split(","):
            key, _, value = option.partition("=")
            _set(context, key.encode(), value.encode())
        if wanted.readonly:
            kernel_call(FSCONFIG, context, _FSCONFIG_SET_FLAG, b"ro", None, 0)
        kernel_call(FSCONFIG, context, _FSCONFIG_CMD_CREATE, None, None, 0)
        attributes = _MOUNT_ATTR_RDONLY if wanted.readonly else 0
        mounted = kernel_call(FSMOUNT, context, _FSMOUNT_CLOEXEC, attributes)
    finally:
        os.close(context)
    try:
        target = os.fsencode(wanted.target)
        kernel_call(MOVE_MOUNT, mounted, b"", _AT_FDCWD, target, _MOVE_MOUNT_F_EMPTY_PATH)
    finally:
        os.close(mounted)


def _set(context: int, key: bytes, value: bytes) -> None:
    if len(value) > _FSCONFIG_VALUE_LIMIT:
        raise OSError(errno.ENAMETOOLONG, "path is too long for fsconfig")
    kernel_call(FSCONFIG, context, _FSCONFIG_SET_STRING, key, value, 0)


def _guard_special_directories(wanted: OverlayMount) -> None:
    for name in _GUARDED:
        kind = _topmost_kind(wanted, name)
        if kind is None or stat.S_ISDIR(kind):
            continue
        make_directories(wanted.upper / name, 0o755)


def _topmost_kind(wanted: OverlayMount, name: str) -> int | None:
    for layer in (wanted.upper, *wanted.lower):
        try:
            found = os.lstat(layer / name)
        except FileNotFoundError:
            continue
        if stat.S_ISCHR(found.st_mode) and found.st_rdev == 0:
            return None  # a whiteout: what is below does not show
        return found.st_mode
    return None
