"""`lading metrics` prints the page, or the lines that are asked for."""

from cri.tests.command.conftest import CannedDaemon, CommandLine


def test_the_page_is_printed(daemon: CannedDaemon, lading: CommandLine) -> None:
    daemon.answers["/metrics"] = b"lading_a 1\nlading_b 2\n"
    assert lading("metrics").out == "lading_a 1\nlading_b 2\n"
    assert lading("metrics", "_b").out == "lading_b 2\n"
