"""The one table from domain errors to gRPC statuses.

Chosen by what the caller should do. What is not in the table is a fault of ours: INTERNAL, and logged with its traceback
by whoever calls `status_for`. Failures that came together are all told. Nothing else in `cri` picks a status code.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import grpc

import image.errors
import runtime.errors

CODES: dict[type[Exception], grpc.StatusCode] = {
    runtime.errors.InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
    runtime.errors.NotFound: grpc.StatusCode.NOT_FOUND,
    runtime.errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    runtime.errors.FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    runtime.errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    runtime.errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    runtime.errors.ResourceExhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    runtime.errors.Unimplemented: grpc.StatusCode.UNIMPLEMENTED,
    runtime.errors.Internal: grpc.StatusCode.INTERNAL,
    image.errors.InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
    image.errors.NotFound: grpc.StatusCode.NOT_FOUND,
    image.errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    image.errors.FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    image.errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    image.errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    image.errors.ResourceExhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    image.errors.Unimplemented: grpc.StatusCode.UNIMPLEMENTED,
    image.errors.Internal: grpc.StatusCode.INTERNAL,
}

_PULL_PREFIXES: dict[type[Exception], str] = {
    image.errors.Unavailable: "RegistryUnavailable",
    image.errors.PermissionDenied: "",
}
"""Refusals of registries, told as UNKNOWN: the kubelet strips that code and matches the start of the message."""

SIGNATURE_REASON = "SignatureValidationFailed"
"""Reason of an image refused by its signatures; the kubelet matches this word at the start of the message too."""

_LOCAL_REASONS = frozenset(
    {
        "WorkerLost",
        "WorkerDied",
        "WorkerUnavailable",
        "WorkerFailed",
        "StoreClosed",
        "PullCancelled",
    }
)
"""Reasons of Unavailable during a pull that no registry is to blame for."""

_LIMIT = 4096
"""Bytes of a message: gRPC's C core refuses headers above 8 KiB, and percent-encoding may triple some bytes."""


@dataclass(frozen=True, slots=True)
class Status:
    """What a failed call answers."""

    code: grpc.StatusCode
    message: str
    expected: bool
    """False for a fault of ours, whose traceback belongs in the log."""


def status_for(error: Exception) -> Status:
    """Return the status of a failed call."""
    leaves = list(_leaves(error))
    first = next((leaf for leaf in leaves if type(leaf) in CODES), leaves[0])
    told = [first, *(leaf for leaf in leaves if leaf is not first)]
    return Status(
        code=CODES.get(type(first), grpc.StatusCode.INTERNAL),
        message=_shortened("; also: ".join(_sentence(leaf) for leaf in told)),
        expected=all(_is_expected(leaf) for leaf in leaves),
    )


def pull_status_for(error: Exception) -> Status:
    """Return the status of a failed PullImage: what the registry or a signature refused goes out as UNKNOWN."""
    status = status_for(error)
    leaf = next(_leaves(error))
    reason = str(getattr(leaf, "reason", ""))
    if reason == SIGNATURE_REASON:
        prefix = SIGNATURE_REASON
    elif type(leaf) in _PULL_PREFIXES and reason not in _LOCAL_REASONS:
        prefix = _PULL_PREFIXES[type(leaf)]
    else:
        return status
    message = f"{prefix}: {status.message}" if prefix else status.message
    return Status(grpc.StatusCode.UNKNOWN, message, status.expected)


def _leaves(error: Exception) -> Iterator[Exception]:
    if isinstance(error, ExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _sentence(error: Exception) -> str:
    if type(error) in CODES:
        return str(error)
    # The text of a foreign error may quote anything, so only its kind leaves the daemon.
    return f"internal fault ({type(error).__name__}); see the log of the daemon [InternalFault]"


def _is_expected(error: Exception) -> bool:
    return CODES.get(type(error), grpc.StatusCode.INTERNAL) is not grpc.StatusCode.INTERNAL


def _shortened(message: str) -> str:
    raw = message.encode()
    if len(raw) <= _LIMIT:
        return message
    return raw[: _LIMIT - 3].decode(errors="ignore") + "..."
