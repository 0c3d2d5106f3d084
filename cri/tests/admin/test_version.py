"""The daemon tells what it is."""

from cri.admin.arguments import Arguments
from cri.admin.version import version
from cri.tests.admin.conftest import Site


async def test_versions_and_handlers_are_told(site: Site) -> None:
    answer = await version(site.parts, Arguments({}))
    assert (answer["daemon"], answer["state_schema"]) == ("1.2", 3)
    handlers = answer["handlers"]
    assert isinstance(handlers, list)
    assert [one["default"] for one in handlers].count(True) == 1
