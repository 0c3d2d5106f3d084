"""A program with an OCI runtime's command line, for tests without root. Its containers are `sleep`s of the fake monitor.

A file `fail-VERB` beside its root makes that verb print the file and fail; `hang-VERB` makes it wait for ever;
`late-pid-file` holds the seconds between a started process and its pid file. It is run with -IS and imports next to
nothing, because a test starts many of them.
"""

import os
import sys
import time

SEPARATE = ("--bundle", "--pid-file", "--format")


def main() -> None:
    options: dict[str, str] = {}
    words: list[str] = []
    pending = list(sys.argv[1:])
    while pending:
        word = pending.pop(0)
        if word in SEPARATE:
            options[word] = pending.pop(0)
        elif word.startswith("--"):
            name, _, value = word.partition("=")
            options[name] = value
        else:
            words.append(word)
    if "--version" in options:
        sys.stdout.write("crun version 1.99.1\n")
        return
    verb, *rest = words
    root = options.get("--root", sys.argv[0])
    obey(os.path.dirname(root), verb, options)
    if verb == "features":
        sys.exit(1)
    os.makedirs(root, exist_ok=True)
    os.chdir(root)
    globals()[f"do_{verb}"](options, *rest)


def obey(place: str, verb: str, options: dict[str, str]) -> None:
    if os.path.exists(f"{place}/hang-{verb}"):
        parent = os.getppid()
        while os.getppid() == parent:  # as with conmon, a runtime does not outlive its monitor
            time.sleep(0.01)
        sys.exit(1)
    if os.path.exists(f"{place}/fail-{verb}"):
        say(read(f"{place}/fail-{verb}"), options)


def say(text: str, options: dict[str, str]) -> None:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    line = f'{{"level": "error", "msg": "{escaped}"}}\n'
    if "--log" in options:
        write(options["--log"], line)
    sys.stderr.write(line)
    sys.exit(1)


def read(path: str) -> str:
    with open(path) as file:
        return file.read()


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def set_status(id: str, status: str) -> None:
    write(f"{id}/status", status)


def pid_of(id: str) -> int:
    """Return the first process, 0 when it has ended."""
    try:
        pid = int(read(f"{read(f'{id}/bundle')}/init-pid"))
        state = read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[0]
    except (OSError, ValueError):
        return 0
    return 0 if state == "Z" else pid


def end(pid: int) -> None:
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return  # ended meanwhile


def do_create(options: dict[str, str], id: str) -> None:
    os.mkdir(id)
    write(f"{id}/bundle", options["--bundle"])
    set_status(id, "created")


def do_start(options: dict[str, str], id: str) -> None:
    if read(f"{id}/status") != "created":
        say("cannot start an already running container", options)
    set_status(id, "running")


def do_pause(options: dict[str, str], id: str) -> None:
    set_status(id, "paused")


def do_resume(options: dict[str, str], id: str) -> None:
    set_status(id, "running")


def do_update(options: dict[str, str], id: str) -> None:
    write("../updated", sys.stdin.read())


def do_list(options: dict[str, str]) -> None:
    found = []
    for id in os.listdir():
        pid = pid_of(id)
        status = read(f"{id}/status") if pid else "stopped"
        bundle = read(f"{id}/bundle")
        found.append(f'{{"id": "{id}", "pid": {pid}, "status": "{status}", "bundle": "{bundle}"}}')
    sys.stdout.write(f"[{', '.join(found)}]" if found else "null")


def do_delete(options: dict[str, str], id: str) -> None:
    pid = pid_of(id)
    if pid and "--force" not in options:
        say("container is still running", options)
    if pid:
        end(pid)
    for name in os.listdir(id):
        os.unlink(f"{id}/{name}")
    os.rmdir(id)


def do_exec(options: dict[str, str], id: str) -> None:
    import json

    if not pid_of(id):
        say("cannot exec in a stopped container", options)
    args = json.loads(read(options["--process"]))["args"]
    actions = []
    if "--console-socket" in options:
        slave = send_terminal(options["--console-socket"])
        actions = [(os.POSIX_SPAWN_DUP2, slave, stream) for stream in range(3)]
    try:
        pid = os.posix_spawnp(args[0], args, os.environ, file_actions=actions, setsid=True)
    except FileNotFoundError:
        say(f"executable file `{args[0]}` not found in $PATH", options)
    if os.path.exists("../late-pid-file"):
        time.sleep(float(read("../late-pid-file")))
    if not os.path.exists("../no-pid-file"):
        write(options["--pid-file"], str(pid))
    os._exit(0)


def send_terminal(path: str) -> int:
    import socket

    master, slave = os.openpty()
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    if not os.path.exists("../no-terminal"):
        socket.send_fds(connection, [b"/dev/ptmx"], [master])
    return slave


if __name__ == "__main__":
    main()
