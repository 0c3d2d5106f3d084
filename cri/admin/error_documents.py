"""The one table from domain errors to what the command line shows: an HTTP status, an exit code, a JSON document.

The sentence is the error's own. What nobody expected is told by its kind alone, since its text may quote anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import image.errors
import runtime.errors

SCHEMA = "lading.error/v1"

EXIT_FAILED, EXIT_USAGE, EXIT_NOT_FOUND, EXIT_DEADLINE, EXIT_REFUSED = 1, 2, 4, 6, 7

REFUSALS = frozenset({"ImageInUse", "ImagePinned"})
"""Reasons that mean: it could be done, and `--force` would."""

_TABLE: Mapping[str, tuple[int, int]] = {
    "InvalidArgument": (400, EXIT_USAGE),
    "NotFound": (404, EXIT_NOT_FOUND),
    "AlreadyExists": (409, EXIT_FAILED),
    "PermissionDenied": (403, EXIT_FAILED),
    "FailedPrecondition": (409, EXIT_FAILED),
    "Unavailable": (503, EXIT_FAILED),
    "DeadlineExceeded": (504, EXIT_DEADLINE),
    "ResourceExhausted": (507, EXIT_FAILED),
    "Unimplemented": (501, EXIT_FAILED),
    "Internal": (500, EXIT_FAILED),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorDocument:
    """A failure as it goes out."""

    status: int
    fields: Mapping[str, object]
    expected: bool
    """False for a fault of ours, whose traceback belongs in the log."""


def error_document(error: Exception) -> ErrorDocument:
    """Return what a failed verb answers."""
    if not isinstance(error, image.errors.ImageError | runtime.errors.PodRuntimeError):
        return ErrorDocument(status=500, fields=_fault(error), expected=False)
    status, code = _TABLE.get(type(error).__name__, (500, EXIT_FAILED))
    if error.reason in REFUSALS:
        code = EXIT_REFUSED
    fields: dict[str, object] = {
        "schema": SCHEMA,
        "object": error.subject,
        "cause": error.cause,
        "remedy": error.remedy,
        "reason": error.reason,
        "details": list(error.details),
        "message": _sentence(error.subject, error.cause, error.remedy, error.reason),
        "exit": code,
    }
    return ErrorDocument(status=status, fields=fields, expected=status != 500)


def _fault(error: Exception) -> dict[str, object]:
    cause = f"internal fault ({type(error).__name__})"
    remedy = "see the log of the daemon"
    return {
        "schema": SCHEMA,
        "object": "daemon",
        "cause": cause,
        "remedy": remedy,
        "reason": "InternalFault",
        "details": [],
        "message": _sentence("daemon", cause, remedy, "InternalFault"),
        "exit": EXIT_FAILED,
    }


def _sentence(subject: str, cause: str, remedy: str, reason: str) -> str:
    return f"{subject}: {cause}{f'; {remedy}' if remedy else ''} [{reason}]"
