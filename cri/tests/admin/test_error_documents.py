"""Errors leave as documents with an exit code; what nobody expected tells its kind alone."""

import pytest

import image.errors
import runtime.errors
from cri.admin.error_documents import error_document


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (image.errors.InvalidArgument("x", "y"), 400, 2),
        (image.errors.NotFound("x", "y"), 404, 4),
        (runtime.errors.NotFound("x", "y"), 404, 4),
        (runtime.errors.DeadlineExceeded("x", "y"), 504, 6),
        (image.errors.FailedPrecondition("x", "y", reason="ImageInUse"), 409, 7),
        (image.errors.FailedPrecondition("x", "y", reason="ImagePinned"), 409, 7),
        (image.errors.FailedPrecondition("x", "y"), 409, 1),
        (image.errors.Unavailable("x", "y"), 503, 1),
    ],
)
def test_the_class_chooses_status_and_exit_code(error: Exception, status: int, code: int) -> None:
    document = error_document(error)
    assert (document.status, document.fields["exit"], document.expected) == (status, code, True)


def test_the_sentence_has_subject_cause_remedy_and_reason() -> None:
    error = image.errors.NotFound("image x", "is not here", remedy="pull it", details=("d",))
    fields = error_document(error).fields
    assert fields["message"] == "image x: is not here; pull it [NotFound]"
    assert fields["details"] == ["d"]


def test_a_fault_tells_nothing_but_its_kind() -> None:
    document = error_document(ValueError("secret"))
    assert (document.status, document.expected) == (500, False)
    assert "secret" not in str(document.fields)
    assert "ValueError" in str(document.fields["message"])
