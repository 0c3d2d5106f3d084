"""Status is the node in one answer."""

import time

from cri.admin.arguments import Arguments
from cri.admin.parts import ConditionFact
from cri.admin.status import status
from cri.tests.admin.conftest import APP, Site, rows, running_pull


async def test_a_ready_node_is_counted(site: Site) -> None:
    site.use(site.image(APP))
    site.puller.now = (running_pull(),)
    answer = await status(site.parts, Arguments({}))
    assert (answer["schema"], answer["verdict"]) == ("lading.status/v1", "ready")
    assert answer["counts"] == {
        "pods": 1,
        "pods_ready": 1,
        "pods_starting": 0,
        "containers": 1,
        "containers_running": 1,
        "images": 2,
        "pulls": 1,
    }
    assert answer["operations"] == {"running": 1, "oldest_seconds": 2.5, "stuck": 0}


async def test_one_condition_makes_the_node_unready(site: Site) -> None:
    since = time.time_ns() - 41 * 10**9
    bad = ConditionFact(
        type="NetworkReady", ready=False, reason="R", message="no network", since_ns=since
    )
    site.conditions.append(bad)
    answer = await status(site.parts, Arguments({}))
    assert answer["verdict"] == "not ready"
    told = rows(answer, "conditions")[1]
    passed = told["seconds"]
    assert isinstance(passed, float)
    assert passed >= 41
    assert str(told["since"]).endswith("Z")
