"""Every verb's help says how it can end."""

from collections.abc import Iterator

import click
import pytest

from cri.command.command_line import lading as group
from cri.tests.command.conftest import CommandLine


def verbs(found: click.Group, *before: str) -> Iterator[tuple[str, ...]]:
    context = click.Context(found)
    for name in found.list_commands(context):
        one = found.get_command(context, name)
        words = (*before, name)
        if isinstance(one, click.Group):
            yield from verbs(one, *words)
            if not one.invoke_without_command:
                continue
        yield words


@pytest.mark.parametrize("words", list(verbs(group)), ids=" ".join)
def test_each_verb_documents_its_exit_codes(words: tuple[str, ...], lading: CommandLine) -> None:
    out = lading(*words, "--help").out
    assert "Exit codes: 0 " in out
    assert "Examples:" in out


@pytest.mark.parametrize("words", list(verbs(group)), ids=" ".join)
def test_each_verb_but_the_daemon_speaks_json(words: tuple[str, ...], lading: CommandLine) -> None:
    if words != ("serve",):
        assert "--json" in lading(*words, "--help").out


@pytest.mark.parametrize("words", [one for one in verbs(group) if one[0] == "image"], ids=" ".join)
def test_each_image_verb_can_be_quiet(words: tuple[str, ...], lading: CommandLine) -> None:
    assert "--quiet" in lading(*words, "--help").out
