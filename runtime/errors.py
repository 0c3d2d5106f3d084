"""Errors of the runtime package, one class per thing a caller may do about them.

Each error names its subject, the cause and a remedy, and carries a stable reason word; `cri.grpc_errors` turns
the class into a gRPC status. Nothing here knows of gRPC or images, and no error quotes a secret.
"""


class PodRuntimeError(Exception):
    """Any failure of the runtime package; only its subclasses are raised.

    Renders as `[PREFIX: ]SUBJECT: CAUSE; REMEDY [Reason]`, lower case, one sentence. `prefix` is for the few words
    that the kubelet matches at the start of a message (for example `RROUnsupported`).
    """

    def __init__(
        self,
        subject: str,
        cause: str,
        *,
        remedy: str = "",
        reason: str = "",
        prefix: str = "",
        program: str = "",
        exit_code: int | None = None,
        details: tuple[str, ...] = (),
    ) -> None:
        self.subject = subject
        """What failed, as its user would name it: `create default/web/app`, `pod 12ab`, a path."""
        self.cause = cause
        """Why, in words; never a bare errno."""
        self.remedy = remedy
        """What the operator can do; empty when nothing but a retry helps."""
        self.reason = reason or type(self).__name__
        """One stable CamelCase word for scripts and documentation."""
        self.prefix = prefix
        """A word that the kubelet matches at the start of the message, or empty."""
        self.program = program
        """The program that failed, if one did."""
        self.exit_code = exit_code
        """That program's exit code, or None."""
        self.details = details
        """Further lines: the program's last stderr lines, the stages and their times."""
        super().__init__(subject, cause)

    def __str__(self) -> str:
        prefix = f"{self.prefix}: " if self.prefix else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        details = f" ({'; '.join(self.details)})" if self.details else ""
        return f"{prefix}{self.subject}: {self.cause}{remedy}{details} [{self.reason}]"


class InvalidArgument(PodRuntimeError):
    """The request itself is wrong. Do not retry it unchanged."""


class NotFound(PodRuntimeError):
    """The named object does not exist."""


class AlreadyExists(PodRuntimeError):
    """An object with this name exists and differs from what was asked for."""


class FailedPrecondition(PodRuntimeError):
    """The object is in a state in which this cannot be done."""


class Unavailable(PodRuntimeError):
    """Something outside is not ready (network plugin, program, kernel feature). A retry may succeed."""


class DeadlineExceeded(PodRuntimeError):
    """A time limit passed; the message names the stage."""


class ResourceExhausted(PodRuntimeError):
    """A limit was reached: disk full, too many, too large."""


class Unimplemented(PodRuntimeError):
    """A known request that this version or this driver cannot serve."""


class Internal(PodRuntimeError):
    """A fault of ours, or of a program below us that answered nonsense."""
