"""The `lading` command: starts the command line and turns its outcome into an exit code.

Imports as little as it can before it knows which verb is wanted, so that help answers at once.
"""

import sys


def main() -> None:
    """Run the command line with the process's arguments and exit."""
    from cri.command.command_line import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
