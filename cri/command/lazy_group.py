"""A group of verbs that imports each one only when it, or its help, is asked for."""

import importlib
from collections.abc import Mapping
from typing import ClassVar

import click

Verbs = Mapping[str, tuple[str, str]]
"""Name to module and one line of help; the module has the command as `command`."""


class LazyGroup(click.Group):
    """Lists its verbs without importing any; set `verbs` in a subclass."""

    verbs: ClassVar[Verbs] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the verbs in the order of the table."""
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb; None when there is no such verb."""
        if cmd_name not in self.verbs:
            return None
        module, _, name = self.verbs[cmd_name][0].partition(":")
        found: object = getattr(importlib.import_module(module), name or "command")
        if not isinstance(found, click.Command):
            return None
        # In a raw docstring click's mark for "do not wrap" is two characters; it wants the one that they mean.
        found.help = (found.help or "").replace("\\b\n", "\b\n")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs with their lines of help."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, text) for name, (_, text) in self.verbs.items()])
