"""What a container runs, and limits that the host can give."""

from dataclasses import replace

import pytest

from runtime.records.resources import LinuxResources
from runtime.spec import process
from runtime.spec.document import apply, object_at, objects_at
from runtime.spec.image_defaults import ImageDefaults
from runtime.spec.request import HandlerSettings, Rlimit
from runtime.tests.spec.samples import CONTAINER, HOST, plain_request

IMAGE = ImageDefaults(entrypoint=("entry",), cmd=("cmd",), working_dir="/image")


@pytest.mark.parametrize(
    ("command", "args", "result"),
    [
        ((), (), ("entry", "cmd")),
        ((), ("a",), ("entry", "a")),
        (("c",), (), ("c",)),
        (("c",), ("a",), ("c", "a")),
    ],
)
def test_args_follow_dockers_rule(
    command: tuple[str, ...], args: tuple[str, ...], result: tuple[str, ...]
) -> None:
    container = replace(CONTAINER, command=command, args=args)
    assert process.container_args(container, IMAGE) == result


@pytest.mark.parametrize(
    ("asked", "image", "cwd"),
    [("/a/../b", "/image", "/b"), ("", "/image", "/image"), ("", "", "/"), ("", "rel", "/rel")],
)
def test_cwd_is_the_requests_or_the_images_or_the_root(asked: str, image: str, cwd: str) -> None:
    container = replace(CONTAINER, working_dir=asked)
    assert process.container_cwd(container, ImageDefaults(working_dir=image)) == cwd


@pytest.mark.parametrize(
    ("own", "can_lower", "wanted", "given"),
    [(0, False, -998, 0), (0, True, -998, -998), (500, False, 0, 500), (0, False, 900, 900)],
)
def test_oom_score_is_raised_where_it_cannot_be_lowered(
    own: int, can_lower: bool, wanted: int, given: int
) -> None:
    host = replace(HOST, oom_score_adj=own, can_lower_oom_score=can_lower)
    assert process.clamped_oom_score_adj(wanted, host) == given


@pytest.mark.parametrize(
    ("can_raise", "soft", "hard", "given"),
    [
        (False, 1024, 10**7, (1024, 20000)),
        (False, 10**7, 10**7, (20000, 20000)),
        (False, 5, 10, (5, 10)),
        (True, 5, 10**7, (5, 10**7)),
        (True, 20, 10, (10, 10)),
    ],
)
def test_rlimit_is_lowered_to_the_daemons_own(
    can_raise: bool, soft: int, hard: int, given: tuple[int, int]
) -> None:
    host = replace(HOST, can_raise_rlimits=can_raise)
    limit = process.clamped_rlimit(Rlimit(type="RLIMIT_NOFILE", soft=soft, hard=hard), host)
    assert (limit.soft, limit.hard) == given


def test_rlimit_that_the_host_does_not_know_is_left_alone() -> None:
    limit = Rlimit(type="RLIMIT_RTTIME", soft=1, hard=2)
    assert process.clamped_rlimit(limit, HOST) == limit


def test_container_has_command_score_and_no_rlimits() -> None:
    spec = apply({}, *process.process_options(plain_request()))
    assert object_at(spec, "process") == {
        "args": ["/bin/app"],
        "cwd": "/",
        "terminal": False,
        "noNewPrivileges": False,
        "oomScoreAdj": 0,
    }
    assert process.process_notes(plain_request()) == ()


def test_clamped_limits_are_noted() -> None:
    container = replace(CONTAINER, resources=LinuxResources(oom_score_adj=-998))
    handler = HandlerSettings(
        default_rlimits=(
            Rlimit(type="RLIMIT_NOFILE", soft=1024, hard=10**7),
            Rlimit(type="RLIMIT_CORE", soft=0, hard=0),
        )
    )
    request = replace(plain_request(container), handler=handler)
    score, rlimit = process.process_notes(request)
    assert "-998 was raised to 0" in score
    assert "RLIMIT_NOFILE 1024:10000000 was lowered to 1024:20000" in rlimit
    spec = apply({}, *process.process_options(request))
    assert objects_at(spec, "process", "rlimits") == (
        {"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 20000},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
    )


def test_general_options() -> None:
    nofile = Rlimit(type="RLIMIT_NOFILE", soft=1, hard=2)
    spec = apply(
        {},
        process.with_rlimits((nofile, Rlimit(type="RLIMIT_CORE", soft=0, hard=0))),
        process.with_rlimits((replace(nofile, hard=3),)),
        process.with_terminal(),
        process.with_console_size(80, 24),
        process.with_no_new_privileges(),
    )
    assert [limit["hard"] for limit in objects_at(spec, "process", "rlimits")] == [0, 3]
    assert object_at(spec, "process", "consoleSize") == {"width": 80, "height": 24}
    assert object_at(spec, "process")["terminal"] is True
    assert object_at(spec, "process")["noNewPrivileges"] is True
    assert "consoleSize" not in object_at(process.without_console_size()(spec), "process")
