"""A registry in this process: strict about what clients send, and faulty on demand.

Words: repository, tag, blob, fault (what goes wrong, where and how often), seen request. It serves the pull half of the
distribution-spec from memory, on the loopback interface only, and never stores anything.

    with FakeRegistry(auth="bearer", username="u", password="p") as registry:
        image = registry.push_image("team/app", "v1", layers=[layer_of({"etc/motd": b"hello"})])
        registry.add_fault(Fault(kind="reset", on="blob", at_byte=100))
        ... pull f"{registry.host}/team/app:v1" ...
        assert registry.violations == []
"""

from image.tests.fakes.fake_registry.content import (
    PushedImage,
    PushedLayer,
    config_of,
    descriptor_of,
    layer_of,
)
from image.tests.fakes.fake_registry.faults import Fault
from image.tests.fakes.fake_registry.server import FakeRegistry
from image.tests.fakes.fake_registry.serving import SeenRequest

__all__ = [
    "FakeRegistry",
    "Fault",
    "PushedImage",
    "PushedLayer",
    "SeenRequest",
    "config_of",
    "descriptor_of",
    "layer_of",
]
