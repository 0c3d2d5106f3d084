"""Every endpoint of a reference is asked once, and told with its rule, credential and answer."""

from image.model.records import RegistryAuth
from image.model.reference import parse_reference
from image.tests.fakes.fake_registry import FakeRegistry, Fault, layer_of
from image.tests.registry.conftest import MakeClient, WriteHosts

LAYER = layer_of({})


async def test_mirror_and_origin_are_told_in_order(
    make_client: MakeClient, write_hosts: WriteHosts
) -> None:
    with (
        FakeRegistry() as registry,
        FakeRegistry(auth="basic", username="u", password="p") as origin,
    ):
        image = registry.push_image("team/app", "v1", layers=[LAYER])
        registry.add_fault(Fault(kind="status", on="manifest", status=503))
        origin.push_image("team/app", "v1", layers=[LAYER])
        mirror = f'[host."{registry.url}"]\ncapabilities = ["pull", "resolve"]\n'
        blind = '[host."http://127.0.0.1:1"]\ncapabilities = ["pull"]\n'
        write_hosts(origin.host, f'server = "{origin.url}"\n{mirror}{blind}')
        async with make_client() as client:
            first, second, third = await client.report_endpoints(
                parse_reference(f"{origin.host}/team/app:v1"),
                auth=RegistryAuth(username="u", password="p"),
            )
        assert image.digest
        assert (first.works, first.auth) == (False, "anonymous")
        assert [one.rule for one in (first, second, third)] == [
            f"{origin.host}/hosts.toml:{line}" for line in (2, 4, 1)
        ]
        assert first.why == "those of the request are for another host"
        assert first.result.startswith("503")
        assert (second.asked, second.works) == (False, False)
        assert (third.works, third.auth, third.result) == (True, "request", "200")
        assert third.digest.startswith("sha256:")
        assert third.url.startswith(f"{origin.url}/v2/team/app/manifests/v1")
