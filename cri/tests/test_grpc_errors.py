"""Every domain error has its status, and what came together is told together."""

import grpc
import pytest

import image.errors
import runtime.errors
from cri.grpc_errors import CODES, pull_status_for, status_for

NAMES = {
    "InvalidArgument": grpc.StatusCode.INVALID_ARGUMENT,
    "NotFound": grpc.StatusCode.NOT_FOUND,
    "AlreadyExists": grpc.StatusCode.ALREADY_EXISTS,
    "FailedPrecondition": grpc.StatusCode.FAILED_PRECONDITION,
    "PermissionDenied": grpc.StatusCode.PERMISSION_DENIED,
    "Unavailable": grpc.StatusCode.UNAVAILABLE,
    "DeadlineExceeded": grpc.StatusCode.DEADLINE_EXCEEDED,
    "ResourceExhausted": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "Unimplemented": grpc.StatusCode.UNIMPLEMENTED,
    "Internal": grpc.StatusCode.INTERNAL,
}
CLASSES = [
    *runtime.errors.PodRuntimeError.__subclasses__(),
    *image.errors.ImageError.__subclasses__(),
]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_every_class_of_errors_has_its_code(
    kind: type[runtime.errors.PodRuntimeError | image.errors.ImageError],
) -> None:
    status = status_for(kind("x", "is wrong", remedy="mend it", reason="Why"))
    assert status.code is NAMES[kind.__name__]
    assert status.message == "x: is wrong; mend it [Why]"


def test_the_table_has_no_class_that_does_not_exist() -> None:
    assert set(CODES) == set(CLASSES)


def test_a_fault_of_ours_is_internal_and_its_text_stays_in_the_log() -> None:
    status = status_for(KeyError("secret"))
    assert status.code is grpc.StatusCode.INTERNAL
    assert not status.expected
    assert "secret" not in status.message
    assert "KeyError" in status.message


def test_failures_that_came_together_are_all_told() -> None:
    first = runtime.errors.Unavailable("cni", "was silent")
    second = runtime.errors.Internal("undo", "failed too")
    group = ExceptionGroup("both", [first, ExceptionGroup("nested", [second])])
    status = status_for(group)
    assert status.code is grpc.StatusCode.UNAVAILABLE
    assert status.message == f"{first}; also: {second}"
    assert not status.expected


def test_a_known_error_gives_the_code_even_beside_an_unknown_one() -> None:
    group = ExceptionGroup("x", [KeyError("k"), runtime.errors.NotFound("pod", "is gone")])
    status = status_for(group)
    assert status.code is grpc.StatusCode.NOT_FOUND
    assert status.message.startswith("pod: is gone")
    assert "KeyError" in status.message
    assert not status.expected


def test_a_long_message_is_cut_at_a_character() -> None:
    message = status_for(runtime.errors.Internal("x", "ä" * 5000)).message
    assert len(message.encode()) <= 4096
    assert message.endswith("ä...")


@pytest.mark.parametrize(
    ("error", "code", "start"),
    [
        (image.errors.Unavailable("app", "503"), grpc.StatusCode.UNKNOWN, "RegistryUnavailable: "),
        (
            image.errors.FailedPrecondition("app", "no", reason="SignatureValidationFailed"),
            grpc.StatusCode.UNKNOWN,
            "SignatureValidationFailed: ",
        ),
        (image.errors.PermissionDenied("app", "401"), grpc.StatusCode.UNKNOWN, "app: 401"),
        (
            image.errors.Unavailable("app", "worker died", reason="WorkerLost"),
            grpc.StatusCode.UNAVAILABLE,
            "app",
        ),
        (image.errors.NotFound("app", "404"), grpc.StatusCode.NOT_FOUND, "app: 404"),
        (KeyError("x"), grpc.StatusCode.INTERNAL, "internal fault"),
    ],
)
def test_pull_refusals_start_with_the_words_that_the_kubelet_matches(
    error: Exception, code: grpc.StatusCode, start: str
) -> None:
    status = pull_status_for(error)
    assert status.code is code
    assert status.message.startswith(start)
