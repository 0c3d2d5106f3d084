"""`lading completion` prints a script for each shell, and bash's works with tags."""

import json
import subprocess
from pathlib import Path

import pytest

from cri.tests.command.conftest import CommandLine


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_printed(shell: str, lading: CommandLine) -> None:
    said = lading("completion", shell)
    assert said.code == 0
    assert "_LADING_COMPLETE" in said.out
    document = json.loads(lading("completion", "--json", shell).out)
    assert (document["schema"], document["script"]) == ("lading.completion/v1", said.out)


def test_fish_keeps_descriptions_whole(lading: CommandLine) -> None:
    splits = [line for line in lading("completion", "fish").out.splitlines() if "split" in line]
    assert splits
    assert all('string split --max 1 ","' in line for line in splits)


def test_another_shell_is_a_usage_error(lading: CommandLine) -> None:
    assert lading("completion", "tcsh").code == 2


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("lading image rm r.test/app:v", "v2"),
        ("lading image rm r.te", "r.test/app:v2"),
        ("lading why image:r.test/app:", "v2"),
    ],
    ids=["behind-a-colon", "before-it", "two-colons"],
)
def test_bash_completes_names_with_colons(
    line: str, reply: str, lading: CommandLine, tmp_path: Path
) -> None:
    script = lading("completion", "bash").out
    begun = "image:r.test/app:v2" if "why" in line else "r.test/app:v2"
    program = tmp_path / "lading"
    program.write_text(f"#!/bin/sh\necho plain,{begun}\n")
    program.chmod(0o755)
    run = f'compopt() {{ :; }}; COMP_LINE="{line}"; COMP_POINT={len(line)}; _lading_completion {program}'
    done = subprocess.run(
        ["bash", "--norc", "-c", f'{script}\n{run}; printf "%s\\n" "${{COMPREPLY[@]}}"'],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout == f"{reply}\n"
