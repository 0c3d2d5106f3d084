"""Make directories with exactly the mode that is wanted, whatever the daemon's umask (077 on a node) is."""

import os
from contextlib import suppress
from pathlib import Path


def make_directories(path: Path, mode: int) -> None:
    """Make `path` and its missing parents with `mode`; existing ones are left as they are.

    Raises:
        OSError: the kernel refused, or a part is no directory.
    """
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        with suppress(
            FileExistsError
        ):  # another task was faster; a file in its place fails at the next step
            os.mkdir(directory, mode)
            os.chmod(directory, mode)
    if missing and not missing[0].is_dir():
        raise NotADirectoryError(20, "not a directory", str(missing[0]))
