"""The verbs of `lading` and how their outcome becomes words and an exit code.

A verb's module is imported when that verb, or its help, is asked for. Never prints a traceback for a fault of the user.
"""

import importlib
import sys
from collections.abc import Sequence

import click

from cri.command.exit_codes import ExitCode

_VERBS = {
    "serve": ("cri.command.serve", "Run the daemon in the foreground."),
    "demo": (
        "cri.command.demo",
        "Run a whole pod on a private daemon, show each step, leave nothing.",
    ),
    "config": (
        "cri.command.config_verbs",
        "Show the defaults, check the configuration, show what is in force.",
    ),
    "version": (
        "cri.command.version",
        "Show the versions of this program and of the running daemon.",
    ),
}

_EXAMPLES = """
Examples:

\b
  lading serve                     run the daemon with /etc/lading/config.toml
  lading config check              find every fault of the configuration
  lading demo                      see a pod come up and go, in private directories
"""


class _LazyGroup(click.Group):
    """A group that imports a verb's module when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the verbs in the order of the table."""
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb; None when there is no such verb."""
        if cmd_name not in _VERBS:
            return None
        command: object = importlib.import_module(_VERBS[cmd_name][0]).command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing any of them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, text) for name, (_, text) in _VERBS.items()])


@click.group(
    cls=_LazyGroup, epilog=_EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]}
)
def lading() -> None:
    """Kubernetes CRI runtime: pods by crun or runc, conmon and CNI, with its own image store."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        outcome: object = lading.main(list(arguments), prog_name="lading", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        return ExitCode.USAGE
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "lading"
        print(
            f"lading: {_one_sentence(error.format_message())}; see '{command} --help'",
            file=sys.stderr,
        )
        return ExitCode.USAGE
    except click.ClickException as error:
        print(f"lading: {_one_sentence(error.format_message())}", file=sys.stderr)
        return ExitCode.FAILED
    except (click.Abort, KeyboardInterrupt):
        return 130
    return int(outcome) if isinstance(outcome, int) else ExitCode.OK


def _one_sentence(message: str) -> str:
    return (message[:1].lower() + message[1:]).rstrip(".")
