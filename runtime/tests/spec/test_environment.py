"""The environment: merging by name, and who wins."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.spec import environment as env
from runtime.spec.document import apply, texts_at
from runtime.spec.image_defaults import ImageDefaults
from runtime.spec.platform_defaults import DEFAULT_PATH
from runtime.spec.request import HandlerSettings, ResolvedUser
from runtime.tests.spec.samples import CONTAINER, plain_request


@pytest.mark.parametrize(
    ("defaults", "overrides", "merged"),
    [
        (
            "o=ups p=$e x=foo y=boo z t=",
            "x=bar y a=42 o= e s=",
            "o= p=$e x=bar z t= a=42 s=",
        ),
        ("a=1", "", "a=1"),
        ("", "a", ""),
        ("a=1", "a a=2", "a=2"),
        ("a=1 b=1", "a=2 a=3", "a=3 b=1"),
    ],
)
def test_overrides_replace_append_and_unset(defaults: str, overrides: str, merged: str) -> None:
    assert env.merge_environment(defaults.split(), overrides.split()) == tuple(merged.split())


_entries = st.lists(st.sampled_from(["a=1", "a", "b=", "b=2", "c", "c=x=y", "d=4"]), max_size=8)


@given(_entries, _entries)
def test_merging_changes_no_input_and_last_override_holds(
    defaults: list[str], overrides: list[str]
) -> None:
    copies = list(defaults), list(overrides)
    merged = env.merge_environment(defaults, overrides)
    assert (defaults, overrides) == copies
    for entry in overrides:
        name = entry.split("=", 1)[0]
        last = [other for other in overrides if other.split("=", 1)[0] == name][-1]
        assert (last in merged) == ("=" in last)


def test_later_source_wins_and_keeps_the_place_of_the_first() -> None:
    container = replace(CONTAINER, envs=(("C", "cri"), ("I", "cri")), tty=True)
    request = replace(
        plain_request(container),
        image=ImageDefaults(env=("I=image", "H=image", "*", "HOME", "=x")),
        handler=HandlerSettings(default_env=(("H", "handler"),)),
        user=ResolvedUser(home="/root"),
    )
    assert env.container_environment(request) == (
        f"PATH={DEFAULT_PATH}",
        "TERM=xterm",
        "HOSTNAME=web",
        "H=image",
        "I=cri",
        "C=cri",
        "HOME=/root",
    )


def test_home_is_not_invented_over_one_that_is_set() -> None:
    request = replace(plain_request(), image=ImageDefaults(env=("HOME=/h",)), hostname="")
    assert env.container_environment(request) == (f"PATH={DEFAULT_PATH}", "HOME=/h")
    nowhere = replace(plain_request(), user=ResolvedUser(home=""), hostname="")
    assert env.container_environment(nowhere) == (f"PATH={DEFAULT_PATH}",)


def test_options_set_and_merge() -> None:
    spec = apply({}, *env.environment_options(plain_request()))
    assert "HOSTNAME=web" in texts_at(spec, "process", "env")
    spec = env.with_environment(("HOSTNAME=x", "A=1"))(spec)
    assert texts_at(spec, "process", "env")[1:2] == ("HOSTNAME=x",)
    assert texts_at(env.with_default_path()({}), "process", "env") == (f"PATH={DEFAULT_PATH}",)
