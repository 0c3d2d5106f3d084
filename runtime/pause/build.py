"""Compile `pause.c` into the static program `lading-pause`: `python -m runtime.pause.build OUTPUT`.

For the Makefile, packages and tests, never for the daemon. Needs a C compiler and kernel headers, no C library.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

SOURCE = Path(__file__).resolve().parent / "pause.c"

FLAGS = (
    "-Os",
    "-static",
    "-nostdlib",
    "-ffreestanding",
    "-fno-stack-protector",  # there is no library to report to
    "-fno-asynchronous-unwind-tables",
    "-Wall",
    "-Wextra",
    "-Werror",
    # One segment of one page instead of four: each pod that shares its process ids holds them.
    "-Wl,-z,noexecstack,-z,noseparate-code,--build-id=none",
    "-s",
)


def build(output: Path, *, compiler: str = "gcc") -> Path:
    """Compile to `output` and return it.

    Raises:
        subprocess.CalledProcessError: the compiler refused; its messages went to stderr.
        FileNotFoundError: there is no such compiler.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([compiler, *FLAGS, "-o", str(output), str(SOURCE)], check=True)
    return output


def main(arguments: Sequence[str]) -> int:
    """Build to the path that is given."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m runtime.pause.build OUTPUT\n")
        return 2
    build(Path(arguments[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
