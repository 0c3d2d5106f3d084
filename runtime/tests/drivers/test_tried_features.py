"""Tests of what is remembered of trials."""

import os
from pathlib import Path

import pytest

from runtime.drivers.feature_trial import TrialResult
from runtime.drivers.tried_features import read_result, write_result

BOTH = TrialResult(recursive_read_only_mounts=True, id_mapped_mounts=True)


@pytest.fixture
def program(tmp_path: Path) -> str:
    (tmp_path / "crun").write_text("1")
    return str(tmp_path / "crun")


def test_result_is_remembered_per_program(tmp_path: Path, program: str) -> None:
    file = tmp_path / "tried.json"
    assert read_result(file, program) is None
    write_result(file, program, BOTH)
    other = TrialResult(recursive_read_only_mounts=False, id_mapped_mounts=None)
    (tmp_path / "runc").touch()
    write_result(file, str(tmp_path / "runc"), other)
    assert read_result(file, program) == BOTH
    # What was not learned is no.
    again = read_result(file, str(tmp_path / "runc"))
    assert again == TrialResult(recursive_read_only_mounts=False, id_mapped_mounts=False)


def test_another_program_of_the_name_is_tried_again(tmp_path: Path, program: str) -> None:
    file = tmp_path / "tried.json"
    write_result(file, program, BOTH)
    os.utime(program, ns=(5, 5))
    assert read_result(file, program) is None
    os.unlink(program)
    assert read_result(file, program) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"crun": 1}'])
def test_damaged_memory_is_none(tmp_path: Path, program: str, text: str) -> None:
    file = tmp_path / "tried.json"
    file.write_text(text)
    assert read_result(file, program) is None
    write_result(file, program, BOTH)
    assert read_result(file, program) == BOTH
