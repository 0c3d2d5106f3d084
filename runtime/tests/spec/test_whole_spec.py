"""Whole specs: written, read back, replaced, completed."""

import pytest

from runtime.errors import InvalidArgument
from runtime.spec import whole_spec
from runtime.spec.compose import generate_spec
from runtime.spec.document import apply


def test_spec_from_file_equals_the_one_that_was_written() -> None:
    spec = generate_spec("linux", host="linux")
    text = whole_spec.spec_text(spec)
    assert whole_spec.spec_from_text(text) == spec
    assert whole_spec.with_spec_from_text(text.encode())({"ociVersion": "0"}) == spec


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"ociVersion": 1}', b"\xff", "[" * 100000])
def test_what_is_no_spec_is_refused(text: str | bytes) -> None:
    with pytest.raises(InvalidArgument, match="BadSpec"):
        whole_spec.spec_from_text(text)


def test_general_options() -> None:
    hook = {"path": "/bin/hook"}
    spec = apply(
        {},
        whole_spec.with_oci_version("1.1.0"),
        whole_spec.with_hooks("createRuntime", [hook]),
        whole_spec.with_hooks("createRuntime", [hook]),
        whole_spec.with_sysctls((("net.core.somaxconn", "1"),)),
    )
    assert spec == {
        "ociVersion": "1.1.0",
        "hooks": {"createRuntime": [hook, hook]},
        "linux": {"sysctl": {"net.core.somaxconn": "1"}},
    }


def test_unknown_moment_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="UnknownHook"):
        whole_spec.with_hooks("lunch", [])
