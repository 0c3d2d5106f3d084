"""What clients are told at the end."""

import json

from cri.streaming.wire.session_status import SUCCESS, Outcome, status_json, status_text


def test_success_is_a_status_and_no_words() -> None:
    assert json.loads(status_json(SUCCESS)) == {"metadata": {}, "status": "Success"}
    assert status_text(SUCCESS) == b""


def test_an_exit_code_is_a_cause_of_its_own() -> None:
    status = json.loads(status_json(Outcome(exit_code=7)))
    assert status["status"] == "Failure"
    assert status["reason"] == "NonZeroExitCode"
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "7"}]
    assert status_text(Outcome(exit_code=7)) == b"command terminated with non-zero exit code: 7"


def test_a_failure_is_an_internal_error_with_its_cause() -> None:
    status = json.loads(status_json(Outcome(failure="no such program")))
    assert (status["status"], status["reason"], status["code"]) == ("Failure", "InternalError", 500)
    assert status["message"] == "Internal error occurred: no such program"
    assert status_text(Outcome(failure="no such program")) == b"no such program"
