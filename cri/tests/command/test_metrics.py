"""`lading metrics` prints the page, or the lines that are asked for."""

import json

from cri.tests.command.conftest import CannedDaemon, CommandLine


def test_the_page_is_printed(daemon: CannedDaemon, lading: CommandLine) -> None:
    daemon.answers["/metrics"] = b"lading_a 1\nlading_b 2\n"
    assert lading("metrics").out == "lading_a 1\nlading_b 2\n"
    assert lading("metrics", "_b").out == "lading_b 2\n"


def test_samples_are_json_with_their_labels(daemon: CannedDaemon, lading: CommandLine) -> None:
    page = b'# HELP lading_a It.\nlading_a{le="+Inf",w="a\\"b"} 1.5\nlading_b +Inf\n'
    daemon.answers["/metrics"] = page
    answer = json.loads(lading("metrics", "--json").out)
    assert answer == {
        "schema": "lading.metrics/v1",
        "samples": [
            {"name": "lading_a", "labels": {"le": "+Inf", "w": 'a\\"b'}, "value": 1.5},
            {"name": "lading_b", "labels": {}, "value": "+Inf"},
        ],
    }
    assert len(json.loads(lading("metrics", "--json", "_b").out)["samples"]) == 1
