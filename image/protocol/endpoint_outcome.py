"""Outcomes of endpoints: what an answer means for the next step, what an operator is told, and the error when all failed.

Pure. The decisions of pull rules 1.16 (retry) and 1.22 (next endpoint) live here and nowhere else:

    kind         same endpoint again   a mirror's: go on   becomes
    UNREACHABLE  yes                   yes                 Unavailable [RegistryUnavailable]
    SERVER       yes                   yes                 Unavailable [RegistryUnavailable]
    THROTTLED    yes, when it says     yes                 Unavailable [RegistryThrottled]
    UNTRUSTED    no (TLS)              yes                 Unavailable [RegistryUnavailable]
    UNAUTHORISED no                    yes                 PermissionDenied [Unauthorized]
    NOT_FOUND    no                    yes                 NotFound
    REFUSED      no                    yes                 FailedPrecondition
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from image.errors import (
    FailedPrecondition,
    ImageError,
    NotFound,
    PermissionDenied,
    Unavailable,
)


class FailureKind(Enum):
    """Why an endpoint did not serve a request; see the table of the module."""

    UNREACHABLE = "unreachable"
    SERVER = "server"
    THROTTLED = "throttled"
    UNTRUSTED = "untrusted"
    UNAUTHORISED = "unauthorised"
    NOT_FOUND = "not found"
    REFUSED = "refused"


_RETRIED = frozenset({FailureKind.UNREACHABLE, FailureKind.SERVER, FailureKind.THROTTLED})
_UNAUTHORISED_CODES = frozenset({"UNAUTHORIZED", "DENIED"})
_UNKNOWN_CODES = frozenset({"MANIFEST_UNKNOWN", "NAME_UNKNOWN", "BLOB_UNKNOWN", "NOT_FOUND"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What one endpoint answered."""

    endpoint: str
    """Its URL, redacted."""
    kind: FailureKind
    text: str
    """One phrase: `connection refused`, `404 MANIFEST_UNKNOWN: ...`."""
    retry_after: float | None = None
    """Seconds that the server asked to wait."""
    error: ImageError | None = None
    """The finished error when the failure is about content and not about the endpoint."""
    seconds: float | None = None
    """How long the attempt took."""
    remedy: str = ""
    """What an operator can do about it; empty for the usual words."""

    @property
    def is_retried(self) -> bool:
        """Tell whether the same endpoint may serve the same request later."""
        return self.kind in _RETRIED

    def __str__(self) -> str:
        return f"{self.endpoint}: {self.text}"


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointReport:
    """What one endpoint said when an operator had it asked."""

    url: str
    """The manifest's, redacted."""
    rule: str
    """`origin`, or file and line for one that is written in a hosts.toml."""
    auth: str
    """Where the credential came from; `anonymous` for none."""
    why: str
    """Why this credential, or none."""
    asked: bool
    """False when hosts.toml does not let it resolve names."""
    works: bool
    result: str
    """`200`, or what went wrong."""
    digest: str
    """What it says the reference means; empty when it does not tell."""
    seconds: float


class EndpointFailure(Exception):
    """One endpoint failed one request; raised and caught inside `image.registry` only."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        """What happened."""
        super().__init__(str(outcome))


def classify_answer(status: int, codes: Sequence[str] = ()) -> FailureKind:
    """Give the meaning of an answer that is no success.

    Codes of the registry count only where the status is vague: some answer 400 with UNAUTHORIZED.
    """
    if status in (401, 403):
        return FailureKind.UNAUTHORISED
    if status in (404, 410):
        return FailureKind.NOT_FOUND
    if status == 429 or "TOOMANYREQUESTS" in codes:
        return FailureKind.THROTTLED
    if status == 408 or status >= 500:
        return FailureKind.SERVER
    if _UNAUTHORISED_CODES.intersection(codes):
        return FailureKind.UNAUTHORISED
    if _UNKNOWN_CODES.intersection(codes):
        return FailureKind.NOT_FOUND
    return FailureKind.REFUSED


def final_error(subject: str, outcomes: Sequence[Outcome]) -> ImageError:
    """Make the one error of a request that every endpoint failed.

    The last outcome decides the class, since the origin is asked last; all are told.
    """
    details = _told(outcomes)
    if not outcomes:
        return Unavailable(
            subject,
            "no endpoint is configured that may serve it",
            remedy="allow pull and resolve for a host in the hosts.toml of this registry",
            reason="RegistryUnavailable",
        )
    last = outcomes[-1]
    if last.error is not None:
        last.error.details = last.error.details + details
        return last.error
    return _error_of_kind(subject, last, details)


def _told(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """Write each endpoint with each of its outcomes once, with number and time of the attempts."""
    times: dict[str, list[float | None]] = {}
    for outcome in outcomes:
        times.setdefault(str(outcome), []).append(outcome.seconds)
    lines = []
    for text, each in times.items():
        known = [seconds for seconds in each if seconds is not None]
        facts = [f"{len(each)} times"] if len(each) > 1 else []
        facts += [f"{sum(known):.1f} s"] if known else []
        lines.append(f"{text} ({', '.join(facts)})" if facts else text)
    return tuple(lines)


def _error_of_kind(subject: str, last: Outcome, details: tuple[str, ...]) -> ImageError:
    match last.kind:
        case FailureKind.NOT_FOUND:
            return NotFound(
                subject,
                "the registry does not know it",
                remedy="check name and tag; private repositories also answer so without credentials",
                details=details,
            )
        case FailureKind.UNAUTHORISED:
            return PermissionDenied(
                subject,
                "the registry refused access",
                remedy="check the pull secret, and that it is for this registry",
                reason="Unauthorized",
                details=details,
            )
        case FailureKind.REFUSED:
            return FailedPrecondition(
                subject, "the registry refused the request", reason="Refused", details=details
            )
        case FailureKind.THROTTLED:
            return Unavailable(
                subject,
                "the registry limits the rate of requests",
                remedy="wait, use credentials with a higher limit, or configure a mirror",
                reason="RegistryThrottled",
                details=details,
            )
        case _:
            return Unavailable(
                subject,
                f"no registry endpoint answered properly, at last {last.endpoint}: {last.text}",
                remedy=last.remedy or "check network, proxy and hosts.toml of this node",
                reason="RegistryUnavailable",
                details=details,
            )
