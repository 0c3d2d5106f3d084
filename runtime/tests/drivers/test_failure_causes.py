"""Tests of the table from what runtimes say to cause and remedy; the texts are of crun 1.8.1, runc 1.1.5 and 1.5.2."""

import pytest

from runtime.drivers.failure_causes import (
    late_failure,
    missing_program,
    not_running,
    runtime_failure,
    unknown_container,
)
from runtime.errors import (
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    PodRuntimeError,
    ResourceExhausted,
    Unavailable,
)

RUNC = "runc create failed: unable to start container process: "


@pytest.mark.parametrize(
    ("said", "kind", "reason", "named"),
    [
        (
            "executable file `/bin/x` not found in $PATH: No such file or directory",
            InvalidArgument,
            "ProgramNotFound",
            "/bin/x",
        ),
        (
            RUNC + 'exec: "x": executable file not found in $PATH',
            InvalidArgument,
            "ProgramNotFound",
            "program x ",
        ),
        (
            RUNC + 'error during container init: exec: "/x": stat /x: no such file or directory',
            InvalidArgument,
            "ProgramNotFound",
            "/x",
        ),
        (
            "exec container process (missing dynamic library?) `/bin/crlf`: No such file or directory",
            InvalidArgument,
            "BadInterpreter",
            "/bin/crlf",
        ),
        ("the container `01ff` is paused", FailedPrecondition, "Paused", "resume"),
        (
            "cannot exec in a paused container (use --ignore-paused)",
            FailedPrecondition,
            "Paused",
            "",
        ),
        ("exec /bin/crlf: no such file or directory", InvalidArgument, "BadInterpreter", '"\\r"'),
        (
            "exec container process `/bin/e`: Exec format error",
            InvalidArgument,
            "ExecFormatError",
            "architecture",
        ),
        (
            "open executable: Permission denied",
            InvalidArgument,
            "ProgramNotExecutable",
            "program is a directory",
        ),
        ("open executable: Operation not permitted", InvalidArgument, "ProgramNotExecutable", ""),
        (RUNC + 'exec: "/bin": is a directory', InvalidArgument, "ProgramNotExecutable", "/bin"),
        (RUNC + 'exec: "/n": permission denied', InvalidArgument, "ProgramNotExecutable", "/n"),
        ("chdir `/bin/sh`: Not a directory", InvalidArgument, "BadWorkingDirectory", "/bin/sh"),
        (
            RUNC + "error during container init: mkdir /bin/sh: not a directory",
            InvalidArgument,
            "BadWorkingDirectory",
            "/bin/sh",
        ),
        (
            'chdir to cwd ("/secret") set in config.json failed: permission denied',
            InvalidArgument,
            "BadWorkingDirectory",
            "/secret",
        ),
        (
            "cgroups in hybrid mode not supported, drop all controllers from cgroupv2",
            Unavailable,
            "HybridCgroups",
            "runc",
        ),
        ("writing file `cgroup.procs`: No space left on device", ResourceExhausted, "NoSpace", ""),
        ("unable to load seccomp profile", InvalidArgument, "SeccompFailed", "seccomp profile"),
        (
            "apparmor failed to apply profile: write /proc/self/attr/exec",
            InvalidArgument,
            "AppArmorFailed",
            "",
        ),
        ("capset: Operation not permitted", InvalidArgument, "CapabilityMissing", "capset"),
        (
            "setrlimit `RLIMIT_NOFILE`: Operation not permitted",
            InvalidArgument,
            "RlimitRefused",
            "",
        ),
        (
            "write to `/proc/self/oom_score_adj`: Permission denied",
            Unavailable,
            "OomScoreRefused",
            "",
        ),
        ("cgroup.controllers: nope", Unavailable, "CgroupFailed", "nope"),
        ("mount `tmpfs` to `/x`: Invalid argument", Internal, "MountFailed", "tmpfs"),
        (
            "cannot open `/r/a/exec.fifo`: No such file or directory",
            FailedPrecondition,
            "WrongState",
            "",
        ),
        ("cannot start an already running container", FailedPrecondition, "WrongState", ""),
        ("something new", Internal, "RuntimeFailed", "crun failed: something new"),
        ("", Internal, "RuntimeFailed", "without a word"),
    ],
)
def test_cause_and_class(said: str, kind: type[PodRuntimeError], reason: str, named: str) -> None:
    error = runtime_failure("create a", said, program="crun", exit_code=1)
    assert type(error) is kind
    assert error.reason == reason
    assert named in str(error)
    assert error.program == "crun"
    assert error.exit_code == 1


def test_known_cause_quotes_the_program_as_a_detail() -> None:
    error = runtime_failure("create a", "exec format error", program="runc", details=("more",))
    assert error.details == ("runc said: exec format error", "more")


def test_named_errors() -> None:
    assert isinstance(missing_program("exec in a", "/x"), InvalidArgument)
    assert isinstance(not_running("exec in a"), FailedPrecondition)
    assert isinstance(unknown_container("open a"), NotFound)


def test_program_that_the_runtime_does_not_name_is_named() -> None:
    said = "open executable: Permission denied"
    error = runtime_failure("create x", said, program="crun", entrypoint="/files/plain")
    assert error.cause == "program /files/plain is a directory or has no execute permission"


def test_directory_of_a_mount_is_not_taken_for_the_working_directory() -> None:
    said = "mkdir `/etc/passwd/x`: Not a directory"
    assert runtime_failure("c", said, program="crun", cwd="/").reason == "MountFailed"
    assert runtime_failure("c", said, program="crun", cwd="/etc/passwd/x").reason == (
        "BadWorkingDirectory"
    )


CRUN = '{"msg":"exec container process (missing dynamic library?) `/f/crlf`: No such file or directory","level":"error"}'
STAMP = "2026-11-25T19:59:28.05+00:00"


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        (f"{STAMP} stderr F {CRUN}\n", "program /f/crlf exists but the interpreter"),
        (
            f"{STAMP} stderr F exec /f/crlf: no such file or directory\n",
            "program /f/crlf exists but",
        ),
        (f"{STAMP} stderr F exec /f/x: exec format error\n", "program /f/x is no executable"),
        (
            f'{STAMP} stderr F {{"msg":"exec container process `/f/x`: Exec format error","level":"error"}}\n',
            "program /f/x is no executable",
        ),
        (f"{STAMP} stdout F exec /f/x: exec format error\n", ""),
        (f"{STAMP} stderr F cat: /x: No such file or directory\n", ""),
        (f"{STAMP} stderr F exec /f/x: exec format error\n{STAMP} stderr F more\n", ""),
        ("garbage", ""),
        ("", ""),
    ],
)
def test_late_failure_is_told_only_when_it_is_all_there_is(output: str, cause: str) -> None:
    found = late_failure(output)
    assert found.startswith(cause)
    assert bool(found) is bool(cause)
