"""Answers have one meaning and become one error."""

import pytest

from image.errors import (
    FailedPrecondition,
    ImageError,
    NotFound,
    PermissionDenied,
    Unavailable,
)
from image.protocol.endpoint_outcome import (
    EndpointFailure,
    FailureKind,
    Outcome,
    classify_answer,
    final_error,
)


@pytest.mark.parametrize(
    ("status", "codes", "kind"),
    [
        (401, [], FailureKind.UNAUTHORISED),
        (403, [], FailureKind.UNAUTHORISED),
        (404, ["MANIFEST_UNKNOWN"], FailureKind.NOT_FOUND),
        (410, [], FailureKind.NOT_FOUND),
        (429, [], FailureKind.THROTTLED),
        (400, ["TOOMANYREQUESTS"], FailureKind.THROTTLED),
        (408, [], FailureKind.SERVER),
        (500, ["DENIED"], FailureKind.SERVER),
        (503, [], FailureKind.SERVER),
        (400, ["UNAUTHORIZED"], FailureKind.UNAUTHORISED),
        (400, ["NAME_UNKNOWN"], FailureKind.NOT_FOUND),
        (400, [], FailureKind.REFUSED),
        (302, [], FailureKind.REFUSED),
    ],
)
def test_answers_have_one_meaning(status: int, codes: list[str], kind: FailureKind) -> None:
    assert classify_answer(status, codes) is kind


@pytest.mark.parametrize(
    ("kind", "error", "reason", "retried"),
    [
        (FailureKind.UNREACHABLE, Unavailable, "RegistryUnavailable", True),
        (FailureKind.SERVER, Unavailable, "RegistryUnavailable", True),
        (FailureKind.UNTRUSTED, Unavailable, "RegistryUnavailable", False),
        (FailureKind.THROTTLED, Unavailable, "RegistryThrottled", True),
        (FailureKind.UNAUTHORISED, PermissionDenied, "Unauthorized", False),
        (FailureKind.NOT_FOUND, NotFound, "NotFound", False),
        (FailureKind.REFUSED, FailedPrecondition, "Refused", False),
    ],
)
def test_last_outcome_decides_the_error(
    kind: FailureKind, error: type[ImageError], reason: str, retried: bool
) -> None:
    mirror = Outcome(endpoint="https://m", kind=FailureKind.SERVER, text="500")
    origin = Outcome(endpoint="https://o", kind=kind, text="that")
    made = final_error("it", [mirror, origin, mirror, origin])
    assert type(made) is error
    assert made.reason == reason
    assert made.details == ("https://m: 500 (2 times)", "https://o: that (2 times)")
    assert origin.is_retried is retried


def test_finished_error_is_told_with_all_outcomes() -> None:
    content = FailedPrecondition("it", "is damaged", reason="DigestMismatch", details=("a",))
    outcome = Outcome(endpoint="o", kind=FailureKind.REFUSED, text="damaged", error=content)
    made = final_error("it", [outcome])
    assert made is content
    assert made.details == ("a", "o: damaged")


def test_every_endpoint_is_told_with_its_time() -> None:
    made = final_error(
        "it",
        [
            Outcome(endpoint="m", kind=FailureKind.SERVER, text="500", seconds=0.25),
            Outcome(endpoint="m", kind=FailureKind.SERVER, text="500", seconds=1.25),
            Outcome(endpoint="m", kind=FailureKind.SERVER, text="502", seconds=2.0),
        ],
    )
    assert made.details == ("m: 500 (2 times, 1.5 s)", "m: 502 (2.0 s)")


def test_error_names_the_last_host_what_it_did_and_what_helps() -> None:
    text, remedy = "no connection within 5 s", "check the network"
    last = Outcome(endpoint="o", kind=FailureKind.UNREACHABLE, text=text, remedy=remedy)
    made = final_error("it", [last])
    assert (
        made.cause == "no registry endpoint answered properly, at last o: no connection within 5 s"
    )
    assert made.remedy == "check the network"


def test_no_endpoint_at_all_is_told() -> None:
    made = final_error("it", [])
    assert isinstance(made, Unavailable)
    assert "no endpoint is configured" in str(made)


def test_failure_reads_as_its_outcome() -> None:
    outcome = Outcome(endpoint="o", kind=FailureKind.SERVER, text="500")
    assert str(EndpointFailure(outcome)) == "o: 500"
    assert EndpointFailure(outcome).outcome is outcome
