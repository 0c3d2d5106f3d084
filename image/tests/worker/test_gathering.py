"""What the network will want of this node is read beforehand."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from image.errors import InvalidArgument
from image.model.reference import parse_reference
from image.policy.policy_file import ACCEPT_ALL, Requirement
from image.tests.exchange.test_messages import request
from image.tests.policy.signing import write_public
from image.worker.gathering import gather


async def test_policy_keys_and_rules_are_read(tmp_path: Path) -> None:
    write_public(ec.generate_private_key(ec.SECP256R1()), tmp_path / "ours.pub")
    policy = tmp_path / "policy.toml"
    policy.write_text('[[rule]]\nprefix = "r.test"\nrequire = "signed"\nkeys = ["ours.pub"]\n')
    (tmp_path / "r.test").mkdir()
    (tmp_path / "r.test" / "hosts.toml").write_text('server = "http://other.test"\n')
    config = tmp_path / "config.json"
    config.write_text(json.dumps({}))
    wanted = replace(
        request(None),
        reference="r.test/app:1",
        registry_config_path=str(tmp_path),
        policy_path=str(policy),
        docker_config_path=str(config),
    )
    found = await gather(wanted)
    for path in (policy, config, tmp_path / "ours.pub", tmp_path / "r.test" / "hosts.toml"):
        path.unlink()
    reference = parse_reference(wanted.reference)
    assert found.policy.rule_for(reference).require is Requirement.SIGNED
    assert len(found.keys) == 1
    (origin,) = await found.node.rules.endpoints_of(reference)
    assert origin.url == "http://other.test/v2"


@pytest.mark.parametrize("task", ["archive", "import"])
async def test_an_archive_asks_nothing_of_the_node(task: str) -> None:
    found = await gather(replace(request(None), task=task, reference="", policy_path="/none"))
    assert (found.policy, found.keys) == (ACCEPT_ALL, ())


async def test_a_policy_that_cannot_be_read_ends_it(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument):
        await gather(replace(request(None), policy_path=str(tmp_path / "none")))
