"""The pause program compiles without warnings into something tiny and static."""

import shutil
import subprocess
from pathlib import Path

import pytest

from runtime.pause.build import build, main

needs_compiler = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")


@needs_compiler
def test_program_is_small_and_static(tmp_path: Path) -> None:
    program = build(tmp_path / "made" / "lading-pause")
    content = program.read_bytes()
    assert content.startswith(b"\x7fELF")
    assert len(content) < 100_000
    assert b"ld-linux" not in content


@needs_compiler
def test_program_says_how_it_is_used(tmp_path: Path) -> None:
    assert main([str(tmp_path / "lading-pause")]) == 0
    done = subprocess.run([tmp_path / "lading-pause"], capture_output=True, check=False)
    assert done.returncode == 1
    assert b"usage: lading-pause" in done.stderr


def test_missing_output_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
