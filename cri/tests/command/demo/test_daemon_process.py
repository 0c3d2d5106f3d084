"""The demo's daemon process: its last words are kept for the error."""

from pathlib import Path

from cri.command.demo.daemon_process import last_lines


def test_last_lines_of_the_log_are_joined(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("1\n2\n3\n4\n5\n6\n")
    assert last_lines(log, 2) == "5 | 6"


def test_silent_daemon_is_said_to_be_silent(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "none") == "it wrote nothing"
