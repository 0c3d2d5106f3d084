"""The parts of the RuntimeService."""

from cri.tests.runtime_service.conftest import Served
from cri.tests.sample_records import container_record, sandbox_record


async def test_messages_of_records_are_kept(cri: Served) -> None:
    sandbox, container = sandbox_record(), container_record()
    items = cri.parts
    assert items.sandbox_items.message(sandbox) is items.sandbox_items.message(sandbox)
    assert items.container_items.message(container) is items.container_items.message(container)
