"""Exec, attach and port-forward with the clients that people use: client-go, crictl on a terminal, and PyPI's kubernetes."""

from __future__ import annotations

import hashlib
import os
import pty
import re
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cri.api import api_pb2
from e2e.node import Node, log_lines, wait_program
from e2e.registry import free_port
from e2e.streaming_client import TRANSPORTS, built_client, run_reports
from e2e.streaming_client.urls import attach_url, exec_url, forward_url, interactive, serve
from e2e.test_crictl import Crictl

each_transport = pytest.mark.parametrize("transport", TRANSPORTS)
EMPTY = hashlib.sha256().hexdigest()
MIB = 1024 * 1024
BIG = 500 * MIB


def run(
    words: list[str], url: str, *, stdin: bytes = b"", transport: str = "spdy"
) -> subprocess.CompletedProcess[bytes]:
    """Run client-go's side of one command."""
    command = [str(built_client()), "command", "-transport", transport, *words, url]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=120)


UNTIL_SIZED = "until stty size 2>/dev/null | grep .; do sleep 0.01; done"
"""crun lets the process run before it hands the terminal over: the size may come a moment after the start. Until then
busybox prints none, and calls that a success."""


def wait(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Poll until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


# --- exec


@each_transport
def test_streams_are_told_apart_and_the_code_comes_back(each_node: Node, transport: str) -> None:
    container = each_node.run().started()
    url = exec_url(each_node, container, "sh", "-c", "cat; echo bad >&2; exit 7", stdin=True)
    done = run(["-stdin"], url, stdin=b"to and fro", transport=transport)
    assert (done.returncode, done.stdout, done.stderr) == (7, b"to and fro", b"bad\n")


@each_transport
def test_a_missing_program_and_a_killed_one_are_told(node: Node, transport: str) -> None:
    container = node.run().started()
    done = run([], exec_url(node, container, "/no/such/program"), transport=transport)
    assert done.returncode == 125
    assert b"/no/such/program" in done.stderr
    killed = run([], exec_url(node, container, "sh", "-c", "kill -9 $$"), transport=transport)
    assert killed.returncode == 137


@each_transport
@pytest.mark.parametrize("program", ["client-go", "crictl"])
def test_a_terminal_has_its_size_and_takes_input(node: Node, transport: str, program: str) -> None:
    container = node.run().started()
    script = f"{UNTIL_SIZED}; tty; read line; echo got $line"
    if program == "crictl":
        words = [*Crictl(node).start, "exec", "--transport", transport, "-it", container]
        words += ["sh", "-c", script]
    else:
        url = exec_url(node, container, "sh", "-c", script, stdin=True, tty=True)
        words = [str(built_client()), "command", "-transport", transport, "-stdin", "-tty"]
        words += ["-width", "101", "-height", "33", url]
    output = on_a_terminal(words, b"typed\n", columns=101, rows=33)
    assert b"33 101" in output
    assert b"/dev/pts/0" in output
    assert b"got typed" in output


def on_a_terminal(words: list[str], typed: bytes, *, columns: int, rows: int) -> bytes:
    """Run a program on a terminal of its own, type once it has said something, return all output."""
    import fcntl
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    output = b""
    deadline = time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            if not select.select([master], [], [], 0.2)[0]:
                continue
            try:
                block = os.read(master, 65536)
            except OSError:  # EIO: the program has closed the terminal
                break
            output += block
            if typed and b"/dev/pts/" in output:
                os.write(master, typed)
                typed = b""
        process.wait(60)
    finally:
        process.kill()
        process.wait()
        os.close(master)
    return output


def test_an_exec_is_what_the_container_is(each_node: Node) -> None:
    container = each_node.run().started()
    wait_program(each_node.client, container, "sleep")
    script = (
        "id; pwd; env | sort | grep -v '^SHLVL\\|^_='; "
        "grep 'Cap\\|NoNewPrivs\\|Seccomp:\\|Groups' /proc/%s/status"
    )
    inside = run([], exec_url(each_node, container, "sh", "-c", script % "self"))
    first = run([], exec_url(each_node, container, "sh", "-c", script % "1"))
    assert inside.returncode == 0
    assert inside.stdout == first.stdout
    assert b"KUBERNETES_SERVICE_HOST=10.96.0.1" in inside.stdout


def test_an_exec_gets_three_descriptors(each_node: Node) -> None:
    container = each_node.run().started()
    done = run([], exec_url(each_node, container, "ls", "/proc/self/fd"))
    assert done.stdout.split() == [b"0", b"1", b"2", b"3"]  # 3 is the directory that ls reads


def test_children_that_keep_the_output_do_not_hold_the_session(node: Node) -> None:
    container = node.run().started()
    done = run([], exec_url(node, container, "sh", "-c", "echo before; sleep 1000 & exit 4"))
    assert (done.returncode, done.stdout) == (4, b"before\n")
    assert b"sleep 1000" in node.client.exec_sync(container, ["ps"]).stdout  # it keeps it still


def test_the_end_of_the_container_ends_its_execs(node: Node) -> None:
    container = node.run().started()
    words = [str(built_client()), "command", exec_url(node, container, "sleep", "1000")]
    process = subprocess.Popen(words)
    wait(lambda: b"sleep" in node.client.exec_sync(container, ["ps"]).stdout.split(b"86400")[-1])
    node.client.stop(container)
    assert process.wait(60) == 137


def test_a_lost_client_leaves_the_process_alone(node: Node) -> None:
    container = node.run().started()
    script = "echo begun; cat; for i in 1 2 3 4 5; do echo $i; done; echo done >/tmp/done"
    url = exec_url(node, container, "sh", "-c", script, stdin=True)
    words = [str(built_client()), "command", "-stdin", url]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    process.kill()
    process.communicate()
    wait(lambda: node.client.exec_sync(container, ["cat", "/tmp/done"]).exit_code == 0)


@each_transport
def test_half_a_gigabyte_goes_both_ways_to_a_slow_reader(node: Node, transport: str) -> None:
    container = node.run().started()
    url = exec_url(node, container, "cat", stdin=True)
    flags = ["-transport", transport, "-stdin", "-send", str(BIG), "-read-pause", "200us"]
    (report,) = run_reports([url], *flags)
    assert (report.code, report.error) == (0, "")
    assert report.stdout_bytes == BIG
    assert report.stdout_sha256 == report.sent_sha256


@each_transport
def test_no_short_exec_loses_its_tail(node: Node, transport: str) -> None:
    container = node.run().started()
    script = "head -c 3000 /dev/zero; echo end"
    expected = hashlib.sha256(bytes(3000) + b"end\n").hexdigest()
    for _ in range(20):
        urls = [exec_url(node, container, "sh", "-c", script) for _ in range(100)]
        reports = run_reports(urls, "-transport", transport)
        bad = [one for one in reports if (one.code, one.stdout_sha256) != (0, expected)]
        assert bad == []


def test_pypis_kubernetes_client_works(node: Node) -> None:
    container = node.run().started()
    url = exec_url(node, container, "sh", "-c", "read a; echo $a; echo bad >&2; exit 3", stdin=True)
    program = (
        "import sys; from kubernetes.client import Configuration;"
        "from kubernetes.stream.ws_client import WSClient;"
        "c = WSClient(Configuration(), sys.argv[1], None, True); c.write_stdin('typed\\n');"
        "c.run_forever(timeout=60); print([c.read_stdout(), c.read_stderr(), c.returncode])"
    )
    words = [sys.executable, "-c", program, url.replace("http", "ws", 1)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['typed\\n', 'bad\\n', 3]\n"


# --- attach


@each_transport
def test_an_attached_shell_ends_with_its_input(each_node: Node, transport: str) -> None:
    container = interactive(each_node.run(), "sh", once=True)
    url = attach_url(each_node, container, stdin=True)
    done = run(["-stdin"], url, stdin=b"echo out; echo bad >&2\n", transport=transport)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"out\n", b"bad\n")
    assert each_node.client.wait_exited(container).exit_code == 0


TICKS = "until read -t 1 go; do echo tick; done"
"""Says something until a line comes, so that a watcher knows when it is attached."""


def watcher(node: Node, container: str, transport: str = "spdy") -> subprocess.Popen[bytes]:
    """Start a client that only reads, and return once it is attached."""
    words = [str(built_client()), "command", "-transport", transport]
    process = subprocess.Popen([*words, attach_url(node, container)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"tick\n"
    return process


def test_several_clients_see_the_same(node: Node) -> None:
    container = interactive(node.run(), "sh", "-c", f"{TICKS}; seq 1 20000; sleep 0.2")
    watchers = [watcher(node, container) for _ in range(3)]
    run(["-stdin"], attach_url(node, container, stdin=True), stdin=b"go\n")
    expected = "".join(f"{number}\n" for number in range(1, 20001)).encode()
    for one in watchers:
        assert one.stdout is not None
        assert one.stdout.read().replace(b"tick\n", b"") == expected
        assert one.wait(60) == 0


def test_a_stuck_client_stalls_neither_container_nor_log(node: Node) -> None:
    pod = node.run()
    container = interactive(
        pod, "sh", "-c", f"{TICKS}; yes {'x' * 1000} | head -c 40000000; echo; echo finished; cat"
    )
    stuck = watcher(node, container)  # and never reads again
    run(["-stdin"], attach_url(node, container, stdin=True), stdin=b"go\n")
    log = f"{pod.config.log_directory}/main/0.log"
    wait(lambda: any(line.text == "finished" for line in log_lines(log)[-3:]), seconds=60)
    stuck.kill()
    stuck.communicate()


def test_a_terminal_can_be_attached_to_again_and_again(node: Node) -> None:
    container = interactive(node.run(), "sh", tty=True)
    for number in range(3):
        url = attach_url(node, container, stdin=True, tty=True)
        words = [str(built_client()), "command", "-stdin", "-tty"]
        words += ["-width", f"9{number + 1}", "-height", "30"]
        process = subprocess.Popen([*words, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        # What is typed is echoed, so no text that is looked for may stand in it.
        sized = f'until [ "$(stty size)" = "30 $((9{number}+1))" ]; do sleep 0.05; done'
        process.stdin.write(f"{sized}; stty size; echo mark$(({number}+1))\n".encode())
        process.stdin.flush()
        seen = b""
        while b"mark%d" % (number + 1) not in seen:
            block = os.read(process.stdout.fileno(), 4096)
            assert block, f"the session ended after {seen!r}"
            seen += block
        assert b"30 9%d" % (number + 1) in seen
        process.kill()
        process.communicate()


# --- port-forward

LOCAL_PORT = re.compile(rb"Forwarding from 127\.0\.0\.1:(\d+) -> ")


@contextmanager
def forwarded(node: Node, pod: str, port: int, transport: str, log: Path) -> Iterator[int]:
    """Forward a local port that the client chooses while the block runs."""
    words = [str(built_client()), "port-forward", "-transport", transport]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*words, forward_url(node, pod), f"0:{port}"], stdout=output, stderr=output
        )
        try:
            wait(lambda: LOCAL_PORT.search(log.read_bytes()) is not None)
            found = LOCAL_PORT.search(log.read_bytes())
            assert found is not None
            yield int(found[1])
        finally:
            process.terminate()
            process.wait(60)


def wait_listening(node: Node, container: str, port: int) -> None:
    """Wait until the pod's port takes connections; its program shows in ps before."""
    command = ["netstat", "-ltn"]
    wait(lambda: b":%d " % port in node.client.exec_sync(container, command).stdout)


def talk(port: int, data: bytes) -> bytes:
    """Send everything, end the direction, and return all that comes back."""
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.settimeout(60)
        sender = threading.Thread(target=_send, args=(connection, data))
        sender.start()
        blocks = []
        while block := connection.recv(65536):
            blocks.append(block)
        sender.join()
    return b"".join(blocks)


def _send(connection: socket.socket, data: bytes) -> None:
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


@each_transport
@pytest.mark.parametrize("network", [api_pb2.POD, api_pb2.NODE])
def test_bytes_reach_a_port_of_the_pod_and_come_back(
    node: Node, transport: str, network: api_pb2.NamespaceMode, tmp_path: Path
) -> None:
    from dataclasses import replace

    port = 8080 if network == api_pb2.POD else free_port()
    pod = node.run(replace(node.shape(), network_mode=network))
    container = pod.shell(serve(port, "cat"))
    wait_listening(node, container, port)
    with forwarded(node, pod.id, port, transport, tmp_path / "log") as local:
        data = os.urandom(5 * MIB)
        assert talk(local, data) == data
        many: list[bytes] = []
        threads = [
            threading.Thread(target=lambda: many.append(talk(local, data[:MIB]))) for _ in range(10)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert many == [data[:MIB]] * 10


@each_transport
def test_a_late_answer_after_a_half_close_arrives(
    node: Node, transport: str, tmp_path: Path
) -> None:
    pod = node.run()
    container = pod.shell(serve(8080, "sh -c 'cat >/dev/null; sleep 2; echo late'"))
    wait_listening(node, container, 8080)
    with forwarded(node, pod.id, 8080, transport, tmp_path / "log") as local:
        assert talk(local, b"question") == b"late\n"


@each_transport
def test_a_closed_port_is_told(node: Node, transport: str, tmp_path: Path) -> None:
    pod = node.run()
    log = tmp_path / "log"
    with forwarded(node, pod.id, 81, transport, log) as local:
        assert talk(local, b"") == b""
        wait(lambda: b"nothing answers inside the pod" in log.read_bytes())
