"""A group imports the verb that is asked for and no other."""

import sys

import click

from cri.command.command_line import lading as group
from cri.tests.command.conftest import CommandLine


def test_help_lists_verbs_without_importing_them(lading: CommandLine) -> None:
    sys.modules.pop("cri.command.why", None)
    assert "why" in lading("--help").out
    assert "cri.command.why" not in sys.modules


def test_examples_keep_their_lines(lading: CommandLine) -> None:
    for verb in (("status",), ("image", "pull"), ("serve",)):
        out = lading(*verb, "--help").out
        assert "\\b" not in out
        assert "\n    lading " in out


def test_every_verb_can_be_imported_and_has_examples() -> None:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            assert found.list_commands(context)
            for inner in found.list_commands(context):
                assert found.get_command(context, inner) is not None
    assert group.get_command(context, "nope") is None
