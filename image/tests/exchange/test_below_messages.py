"""A question about layers below is checked before it is believed, and attributes come back as they are."""

from collections.abc import Mapping

import pytest

from image.errors import FailedPrecondition
from image.exchange.below_messages import (
    MAX_PATHS,
    attribute_fields,
    read_attributes,
    read_question,
)
from image.host.extraction import Attributes
from image.tests.exchange.test_messages import over_the_wire


@pytest.mark.parametrize(
    "attributes",
    [Attributes(mode=0o1750, uid=1, gid=2, mtime_ns=3, xattrs={"user.a": b"\xff\0"}), None],
    ids=["directory", "none"],
)
def test_attributes_come_back_as_they_are(attributes: Attributes | None) -> None:
    assert read_attributes(over_the_wire(attribute_fields(attributes))) == attributes


@pytest.mark.parametrize(
    "question",
    [
        {"about": "secrets", "paths": ["a"]},
        {"about": "names", "paths": ["../a"]},
        {"about": "names", "paths": ["/a"]},
        {"about": "names", "paths": ["a//b"]},
        {"about": "names", "paths": ["a/."]},
        {"about": "names", "paths": ["\u20ac"]},
        {"about": "names", "paths": ["a"] * (MAX_PATHS + 1)},
    ],
    ids=["about", "up", "absolute", "empty part", "dot", "no bytes", "too many"],
)
def test_dishonest_questions_are_refused(question: Mapping[str, object]) -> None:
    with pytest.raises(FailedPrecondition):
        read_question(over_the_wire(question))
