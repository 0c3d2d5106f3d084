"""A row is dropped when all was undone, else it keeps what failed."""

from runtime.lifecycle.journal_rows import settle_failed
from runtime.store.changes import put_intent
from runtime.store.journal import Intent, IntentKind
from runtime.tests.lifecycle.rig import Rig


async def test_a_row_is_kept_until_nothing_failed(rig: Rig) -> None:
    row = Intent(kind=IntentKind.CREATE, object_id="x", started_at_ns=1)
    await rig.node.db.commit(put_intent(row))
    await settle_failed(rig.node, row, ("network: no answer",))
    assert rig.node.pending[row.key].failed_steps == ("network: no answer",)
    assert rig.node.db.load().intents == (rig.node.pending[row.key],)
    await settle_failed(rig.node, row, ())
    assert rig.node.pending == {}
    assert rig.node.db.load().intents == ()
