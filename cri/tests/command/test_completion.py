"""`lading completion` prints a script for each shell."""

import pytest

from cri.tests.command.conftest import CommandLine


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_a_script_is_printed(shell: str, lading: CommandLine) -> None:
    said = lading("completion", shell)
    assert said.code == 0
    assert "_LADING_COMPLETE" in said.out


def test_another_shell_is_a_usage_error(lading: CommandLine) -> None:
    assert lading("completion", "tcsh").code == 2
