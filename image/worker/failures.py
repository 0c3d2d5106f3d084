"""Any exception of the worker as one of the package's errors, so that the daemon can tell it.

Pure. A full disk and spent memory are told as such; what nobody expected is Internal, with its kind and place but
without values, which could hold a secret.
"""

import errno
import os
import traceback

from image.errors import ImageError, Internal, ResourceExhausted


def as_image_error(error: BaseException) -> ImageError:
    """Translate an exception."""
    if isinstance(error, ImageError):
        return error
    if isinstance(error, BaseExceptionGroup):
        return as_image_error(error.exceptions[0])
    if isinstance(error, MemoryError):
        return ResourceExhausted("pull", "worker reached its memory limit", reason="WorkerMemory")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceExhausted(
            "image store", "disk is full", remedy="remove images or free space", reason="DiskFull"
        )
    if isinstance(error, OSError) and error.errno is not None:
        return Internal("pull", f"worker failed: {os.strerror(error.errno)}", details=_place(error))
    return Internal("pull", f"worker failed: {type(error).__name__}", details=_place(error))


def _place(error: BaseException) -> tuple[str, ...]:
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    return tuple(f"{os.path.basename(f.filename)}:{f.lineno} in {f.name}" for f in frames)
