"""A request names its container as an error should."""

from runtime.tests.spec.samples import plain_request


def test_subject_names_namespace_pod_and_container() -> None:
    assert plain_request().subject == "container default/web/app"
