"""The verbs of `lading` and how their outcome becomes words and an exit code.

A verb's module is imported when that verb, or its help, is asked for. Never prints a traceback for a fault of the user.
"""

import os
import sys
from collections.abc import Sequence
from typing import ClassVar

import click

from cri.command.exit_codes import ExitCode
from cri.command.lazy_group import LazyGroup, Verbs

_EXAMPLES = """
Examples:

\b
  lading status                    is the node ready, and what does it do now
  lading image pull busybox        pull an image, with progress
  lading config check              find every fault of the configuration
  lading demo                      see a pod come up and go, in private directories
"""


class _Lading(LazyGroup):
    """All verbs."""

    verbs: ClassVar[Verbs] = {
        "serve": ("cri.command.serve", "Run the daemon in the foreground."),
        "demo": (
            "cri.command.demo",
            "Run a whole pod on a private daemon, show each step, leave nothing.",
        ),
        "status": ("cri.command.status", "Show whether the node is ready, and what it does now."),
        "image": ("cri.command.image", "Pull, list, question, keep, move and repair images."),
        "why": ("cri.command.why", "Show what keeps an image or a layer on this node."),
        "operations": ("cri.command.operations", "Show what runs now, and what waits for what."),
        "metrics": ("cri.command.metrics", "Print the daemon's Prometheus metrics."),
        "config": (
            "cri.command.config_verbs",
            "Show the defaults, check the configuration, show what is in force.",
        ),
        "version": (
            "cri.command.version",
            "Show the versions of this program and of the running daemon.",
        ),
        "completion": ("cri.command.completion", "Print a shell's completion script."),
    }


@click.group(
    cls=_Lading, epilog=_EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]}
)
def lading() -> None:
    """Kubernetes CRI runtime: pods by crun or runc, conmon and CNI, with its own image store."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    if "_LADING_COMPLETE" in os.environ:  # a shell asks; nobody else pays for the import
        from cri.command.completion import register

        register()
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
        return _failed(error, arguments)
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # Whoever read our output, `head` for example, has enough; the interpreter must not flush into it again.
        sys.stdout = None
        return ExitCode.OK
    return int(outcome) if isinstance(outcome, int) else ExitCode.OK


def _failed(error: click.ClickException, arguments: Sequence[str]) -> int:
    from cri.command.daemon_client import CommandError, report_error

    if isinstance(error, CommandError):
        return report_error(error, as_json="--json" in arguments)
    print(f"lading: {_one_sentence(error.format_message())}", file=sys.stderr)
    return ExitCode.FAILED


def _one_sentence(message: str) -> str:
    return (message[:1].lower() + message[1:]).rstrip(".")
