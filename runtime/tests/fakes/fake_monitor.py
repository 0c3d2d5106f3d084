"""A program with conmon's command line, as far as the driver uses it, for tests without root.

Runs the (fake) runtime's create, holds a `sleep` as the container's first process, answers on the sync pipe, serves the
control fifo and the attach socket, writes the exit file. It is run with -IS and imports next to nothing, because a
test starts many of them.
"""

import os
import sys

FLAGS = ("--full-attach", "--no-sync-log", "-t", "-i", "--leave-stdin-open", "-s")


def main() -> None:
    options: dict[str, str] = {}
    runtime_arguments: list[str] = []
    words = iter(sys.argv[1:])
    for word in words:
        if word.startswith("--runtime-arg="):
            runtime_arguments.append(word.split("=", 1)[1])
        elif word not in FLAGS:
            options[word] = next(words)
    os.chdir(options["-b"])
    if os.path.exists("monitor-refuses"):
        sys.stderr.write("conmon: no such option\n")
        sys.exit(1)
    os.read(int(os.environ["_OCI_STARTPIPE"]), 1)
    pid = os.fork()
    if pid:
        write(options["-P"], str(pid))
        os._exit(0)
    hold(options, runtime_arguments)
    os._exit(0)


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def hold(options: dict[str, str], runtime_arguments: list[str]) -> None:
    os.setsid()
    sync = int(os.environ["_OCI_SYNCPIPE"])
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (1, 2):
        os.dup2(null, descriptor)
    if os.path.exists("monitor-dies"):
        return
    runtime = options["-r"]
    create = ["create", "--bundle", os.getcwd(), "--pid-file", options["-p"], options["-c"]]
    said = os.memfd_create("said")
    child = os.posix_spawn(
        runtime,
        [runtime, *runtime_arguments, *create],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, said, 2)],
    )
    failed = os.waitpid(child, 0)[1] != 0
    message = os.pread(said, 4000, 0).decode().strip().replace("\\", "\\\\").replace('"', '\\"')
    if failed:
        os.write(sync, b'{"pid": -1, "message": "%s"}\n' % message.encode())
        return
    init = os.posix_spawnp("sleep", ["sleep", "1000"], os.environ, setsid=True)
    write(options["-p"], str(init))
    write("init-pid", str(init))
    log = options["-l"].partition(":")[2] or os.devnull
    os.close(os.open(log, os.O_WRONLY | os.O_CREAT))
    serve(log)
    os.write(sync, b'{"pid": %d}\n' % init)
    os.close(sync)
    tell_exit(options, os.waitstatus_to_exitcode(os.waitpid(init, 0)[1]))


def tell_exit(options: dict[str, str], code: int) -> None:
    text = str(code if code >= 0 else 128 - code)
    if os.path.exists("rootfs/exit-code"):
        with open("rootfs/exit-code") as file:
            text = file.read()
    place = os.path.join(options["--exit-dir"], options["-c"])
    write(f"{place}.ABCDEF", text)
    os.rename(f"{place}.ABCDEF", place)


def serve(log: str) -> None:
    import _socket
    import _thread

    os.mkfifo("ctl")
    fifo = os.open("ctl", os.O_RDWR)
    listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    listener.bind("attach")
    listener.listen()

    def control_lines() -> None:
        while True:
            line = os.read(fifo, 100)
            with open("control-lines", "ab") as file:
                file.write(line)
            if line == b"2 0 0\n" and not os.path.exists("control-hangs"):
                os.close(os.open(log, os.O_WRONLY | os.O_CREAT))

    def clients() -> None:
        while True:
            client, _ = listener._accept()  # type: ignore[attr-defined]
            os.write(client, b"\2hello")
            os.close(client)

    _thread.start_new_thread(control_lines, ())
    _thread.start_new_thread(clients, ())


if __name__ == "__main__":
    main()
