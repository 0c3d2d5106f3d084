"""Errors of the image package, one class per thing a caller may do about them.

Each error names its subject, the cause and a remedy, and carries a stable reason word; `cri.grpc_errors` turns
the class into a gRPC status. Nothing here knows of gRPC, HTTP or containers, and no error quotes a secret.
"""


class ImageError(Exception):
    """Any failure of the image package; only its subclasses are raised.

    Renders as `SUBJECT: CAUSE; REMEDY [Reason]`, lower case, one sentence.
    """

    def __init__(
        self,
        subject: str,
        cause: str,
        *,
        remedy: str = "",
        reason: str = "",
        details: tuple[str, ...] = (),
    ) -> None:
        self.subject = subject
        """What failed, as its user would name it: an image reference, a digest, a path."""
        self.cause = cause
        """Why, in words; never a bare errno."""
        self.remedy = remedy
        """What the operator can do; empty when nothing but a retry helps."""
        self.reason = reason or type(self).__name__
        """One stable CamelCase word for scripts and documentation."""
        self.details = details
        """Further lines, for example every endpoint that was tried and its outcome."""
        super().__init__(subject, cause)

    def __str__(self) -> str:
        remedy = f"; {self.remedy}" if self.remedy else ""
        details = f" ({'; '.join(self.details)})" if self.details else ""
        return f"{self.subject}: {self.cause}{remedy}{details} [{self.reason}]"


class InvalidArgument(ImageError):
    """The request itself is wrong: an unparsable reference, an impossible platform. Do not retry."""


class NotFound(ImageError):
    """The image, manifest or blob does not exist where it was looked for."""


class PermissionDenied(ImageError):
    """The registry refused the credentials, or wants some. Retry with others."""


class FailedPrecondition(ImageError):
    """What was received or stored is not acceptable: wrong digest, unsupported type, hostile layer. Do not retry."""


class Unavailable(ImageError):
    """Registry, network or worker did not answer properly. A retry may succeed."""


class DeadlineExceeded(ImageError):
    """A time limit of ours passed; the message names the stage."""


class ResourceExhausted(ImageError):
    """A limit was reached: disk full, too large, too many entries."""


class Unimplemented(ImageError):
    """A known request that this version cannot serve."""


class Internal(ImageError):
    """A fault of ours."""
