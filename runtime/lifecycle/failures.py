"""How a failure inside an operation is told to its caller: one error, naming the operation, with everything it knows.

A failure and failed clean-up steps become one error whose cause is an ExceptionGroup of all of them. What is not one of
our errors is a fault of ours: Internal, and logged with its traceback.
"""

import logging
from collections.abc import Sequence

from runtime.errors import DeadlineExceeded, Internal, PodRuntimeError

log = logging.getLogger(__name__)


def leaves(error: BaseException) -> tuple[BaseException, ...]:
    """Return the errors inside nested exception groups, first one first."""
    if isinstance(error, BaseExceptionGroup):
        return tuple(leaf for inner in error.exceptions for leaf in leaves(inner))
    return (error,)


def retold(
    error: BaseException, subject: str, clean_up: Sequence[Exception] = ()
) -> PodRuntimeError:
    """Return one error for an operation named `subject` that failed with `error`.

    The first leaf decides class, remedy, reason and prefix; further ones and failed clean-up steps become details.
    """
    first, *others = leaves(error)
    known = first if isinstance(first, PodRuntimeError) else _unexpected(first, subject)
    if known is first and known.subject == subject and not others and not clean_up:
        return known  # told already
    details = (
        *known.details,
        *(f"also {_text(other)}" for other in others),
        *(f"clean-up failed and will be tried again: {_text(failed)}" for failed in clean_up),
    )
    told = type(known)(
        subject,
        known.cause if known.subject == subject else f"{known.subject}: {known.cause}",
        remedy=known.remedy,
        reason=known.reason,
        prefix=known.prefix,
        program=known.program,
        exit_code=known.exit_code,
        details=details,
    )
    told.__cause__ = _cause(first, others, clean_up)
    return told


def _cause(
    first: BaseException, others: Sequence[BaseException], clean_up: Sequence[Exception]
) -> BaseException:
    if not others and not clean_up:
        return first
    return BaseExceptionGroup("failure and clean-up", [first, *others, *clean_up])


def _unexpected(error: BaseException, subject: str) -> PodRuntimeError:
    if isinstance(error, TimeoutError):
        return DeadlineExceeded(subject, "a time limit passed", reason="StageTimeout")
    log.error("%s: unexpected %s", subject, type(error).__name__, exc_info=error)
    return Internal(
        subject,
        f"a fault of ours ({type(error).__name__})",
        remedy="report it with the daemon's log",
        reason="UnexpectedError",
    )


def _text(error: BaseException) -> str:
    return str(error) if isinstance(error, PodRuntimeError) else type(error).__name__
