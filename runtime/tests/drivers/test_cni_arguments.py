"""CNI_ARGS."""

import pytest

from runtime.drivers.cni_arguments import pod_arguments
from runtime.errors import InvalidArgument
from runtime.records.sandbox import SandboxMetadata


def test_pairs_are_in_order() -> None:
    metadata = SandboxMetadata(name="web", namespace="shop", uid="u")
    assert pod_arguments("id", metadata) == (
        "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;"
        "K8S_POD_INFRA_CONTAINER_ID=id;K8S_POD_UID=u"
    )


@pytest.mark.parametrize("name", ["a;b", "a=b", "a\nb", "a\x00b"])
def test_name_that_would_end_its_pair_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument, match="pod name"):
        pod_arguments("id", SandboxMetadata(name=name, namespace="shop", uid="u"))
