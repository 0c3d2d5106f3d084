"""One call of one plugin: environment, deadline, what its end means."""

from pathlib import Path

import pytest

from runtime.drivers.cni_plugin import PluginCall, PluginRunner
from runtime.errors import Internal, Unavailable
from runtime.tests.fakes.fake_cni_plugin import Answer, FakeCniPlugins


@pytest.fixture
def plugins() -> FakeCniPlugins:
    return FakeCniPlugins()


@pytest.fixture
def runner(plugins: FakeCniPlugins, tmp_path: Path) -> PluginRunner:
    (tmp_path / "bridge").touch(mode=0o755)
    return PluginRunner(
        plugins, [tmp_path], timeout_seconds=7.0, environment={"HTTP_PROXY": "http://proxy"}
    )


def call(verb: str = "ADD", plugin: str = "bridge") -> PluginCall:
    return PluginCall(
        plugin=plugin, verb=verb, stdin=b'{"cniVersion":"1.0.0"}', container_id="a" * 64
    )


async def test_environment_is_built_and_never_inherited(
    runner: PluginRunner, plugins: FakeCniPlugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_PRELOAD", "/evil.so")
    await runner.add(call())
    env = plugins.calls[0].env
    assert "LD_PRELOAD" not in env
    assert env["HTTP_PROXY"] == "http://proxy"
    assert env["PATH"].startswith("/usr/local/sbin")
    assert plugins.calls[0].timeout_seconds == 7.0


async def test_missing_plugin_is_named_with_the_directories(
    runner: PluginRunner, tmp_path: Path
) -> None:
    with pytest.raises(Unavailable, match=f"plugin nope is not found in {tmp_path}") as told:
        await runner.add(call(plugin="nope"))
    assert told.value.reason == "CniPluginMissing"


async def test_result_that_is_garbage_is_refused_with_last_words(
    runner: PluginRunner, plugins: FakeCniPlugins
) -> None:
    plugins.answer("bridge", "ADD", Answer(stdout="<html>", stderr="hm\n"))
    with pytest.raises(Internal, match=r'did not print JSON.*last said "hm"') as told:
        await runner.add(call())
    assert told.value.reason == "CniBadResult"


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (
            Answer(exit_code=1, stdout='{"code": 11, "msg": "busy", "details": "ipam"}'),
            r"busy \(code 11\): ipam",
        ),
        (Answer(exit_code=2, stderr="panic\ngoroutine 1\n"), 'exit code 2, said "panic; goroutine'),
        (Answer(exit_code=3, stdout="plain text"), 'exit code 3, said "plain text"'),
        (Answer(exit_code=4), "exit code 4, said nothing"),
    ],
)
async def test_failure_is_told_in_the_plugins_own_words(
    runner: PluginRunner, plugins: FakeCniPlugins, answer: Answer, cause: str
) -> None:
    plugins.answer("bridge", "DEL", answer)
    with pytest.raises(Unavailable, match=cause) as told:
        await runner.perform(call("DEL"))
    assert told.value.subject == "cni bridge DEL pod aaaaaaaaaaaa"
    assert told.value.exit_code == answer.exit_code


async def test_long_output_is_cut_in_errors(runner: PluginRunner, plugins: FakeCniPlugins) -> None:
    plugins.answer("bridge", "DEL", Answer(exit_code=1, stderr="x" * 100_000))
    with pytest.raises(Unavailable) as told:
        await runner.perform(call("DEL"))
    assert len(str(told.value)) < 1000
