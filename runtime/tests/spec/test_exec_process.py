"""An exec has the container's process with another command."""

import copy

import pytest

from runtime.errors import InvalidArgument
from runtime.spec.document import JsonValue, Spec
from runtime.spec.exec_process import exec_process

SPEC: Spec = {
    "process": {
        "args": ["/bin/app"],
        "cwd": "/w",
        "env": ["A=1"],
        "user": {"uid": 5, "gid": 6, "additionalGids": [6, 7]},
        "capabilities": {"bounding": ["CAP_KILL"]},
        "consoleSize": {"width": 1, "height": 2},
        "terminal": True,
    }
}


def test_exec_keeps_user_groups_and_capabilities() -> None:
    before = copy.deepcopy(SPEC)
    assert exec_process(SPEC, ["ls", "-l"]) == {
        "args": ["ls", "-l"],
        "cwd": "/w",
        "env": ["A=1"],
        "user": {"uid": 5, "gid": 6, "additionalGids": [6, 7]},
        "capabilities": {"bounding": ["CAP_KILL"]},
        "terminal": False,
    }
    assert before == SPEC


@pytest.mark.parametrize(
    ("env", "after"),
    [
        (["A=1"], ["A=1", "TERM=xterm"]),
        (["TERM=vt100"], ["TERM=vt100"]),
        (None, ["TERM=xterm"]),
        ("text", ["TERM=xterm"]),
    ],
)
def test_terminal_has_size_and_term(env: JsonValue, after: list[str]) -> None:
    process = exec_process({"process": {"env": env}}, ["sh"], terminal=True, size=(80, 24))
    assert process["env"] == after
    assert process["consoleSize"] == {"width": 80, "height": 24}
    assert "consoleSize" not in exec_process(SPEC, ["sh"], terminal=True)


@pytest.mark.parametrize("command", [[], [""]])
def test_empty_command_is_refused(command: list[str]) -> None:
    with pytest.raises(InvalidArgument, match="NoCommand"):
        exec_process(SPEC, command)
