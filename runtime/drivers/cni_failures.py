"""Several failures of CNI plugins told as one error of ours (house rule 13: both are told)."""

from collections.abc import Sequence

from runtime.errors import PodRuntimeError


def combined(failures: Sequence[PodRuntimeError], *, joint: str) -> PodRuntimeError:
    """Return one error that has the first one's class and words, and the others as details.

    `joint` introduces each of them (`and undoing it failed`). All stay reachable as its cause, an ExceptionGroup.
    """
    first = failures[0]
    if len(failures) == 1:
        return first
    told = type(first)(
        first.subject,
        first.cause,
        remedy=first.remedy,
        reason=first.reason,
        prefix=first.prefix,
        program=first.program,
        exit_code=first.exit_code,
        details=(*first.details, *(f"{joint}: {failure}" for failure in failures[1:])),
    )
    told.__cause__ = ExceptionGroup("several CNI calls failed", list(failures))
    return told
