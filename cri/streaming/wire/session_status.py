"""What the error stream says at the end of exec and attach.

Since v4 exactly one JSON Status of the Kubernetes API, before that plain text and nothing for success. An empty error
stream means success to a client, so every end of a session must be told, the daemon's own failures above all.
"""

import json
from dataclasses import dataclass

_INTERNAL_ERROR = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a session ended."""

    exit_code: int = 0
    """0-255; 128 + signal number when a signal ended the command."""
    failure: str = ""
    """Why there is no exit code at all; empty when there is one."""


SUCCESS = Outcome()


def status_json(outcome: Outcome) -> bytes:
    """Return the Status of v4 and v5."""
    status: dict[str, object] = {"metadata": {}, "status": "Failure"}
    if outcome.failure:
        status |= {
            "message": f"Internal error occurred: {outcome.failure}",
            "reason": "InternalError",
            "details": {"causes": [{"message": outcome.failure}]},
            "code": _INTERNAL_ERROR,
        }
    elif outcome.exit_code:
        # The cause's key is `reason`, and the code is text (metav1.StatusCause).
        status |= {
            "message": _exit_text(outcome),
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": str(outcome.exit_code)}]},
        }
    else:
        status["status"] = "Success"
    return json.dumps(status, separators=(",", ":")).encode()


def status_text(outcome: Outcome) -> bytes:
    """Return the words of v1, v2 and v3."""
    if outcome.failure:
        return outcome.failure.encode()
    return _exit_text(outcome).encode() if outcome.exit_code else b""


def _exit_text(outcome: Outcome) -> str:
    return f"command terminated with non-zero exit code: {outcome.exit_code}"
