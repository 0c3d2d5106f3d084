"""Whatever goes wrong between command and daemon is a sentence with an exit code."""

import json
import socket
import threading
from pathlib import Path

import pytest

import cri.command.daemon_client
from cri.command.daemon_client import DEFAULT_ADDRESS, CommandError, Daemon, admin_address
from cri.tests.command.conftest import CannedDaemon, CommandLine


def test_no_daemon_is_exit_5_and_says_what_to_do(tmp_path: Path, lading: CommandLine) -> None:
    said = lading("status", "--admin", f"unix://{tmp_path}/none.sock")
    assert said.code == 5
    assert "does not answer; start it with 'lading serve'" in said.err
    assert lading("status", "--admin", "tcp://x").code == 2


def test_a_refusal_keeps_its_exit_code_and_details(
    daemon: CannedDaemon, lading: CommandLine
) -> None:
    daemon.refuse("operations", "x: is so; do this [Reason]", 7, "first", "second")
    said = lading("operations")
    assert (said.code, said.out) == (7, "")
    assert said.err == "lading: x: is so; do this [Reason]\n  first\n  second\n"
    told = lading("operations", "--json")
    assert json.loads(told.out)["schema"] == "lading.error/v1"


def test_a_stream_may_end_in_a_refusal(daemon: CannedDaemon) -> None:
    error = {"schema": "lading.error/v1", "message": "m", "exit": 4}
    daemon.on("image/pull", {"n": 1}, error)
    lines = Daemon(daemon.address).watch("image/pull")
    assert next(lines).integer("n") == 1
    with pytest.raises(CommandError) as told:
        next(lines)
    assert told.value.code == 4


def test_what_is_no_json_is_told(daemon: CannedDaemon, lading: CommandLine) -> None:
    daemon.answers["/v1/status"] = b"<html>"
    assert "answer of the daemon" in lading("status").err
    daemon.statuses["/v1/status"] = 500
    assert "without saying why" in lading("status").err


def test_bytes_are_sent_and_fetched(daemon: CannedDaemon) -> None:
    client = Daemon(daemon.address)
    daemon.on("image/import", {"n": 1})
    assert [
        one.integer("n") for one in client.send("image/import", iter([b"ab", b"c"]), a="b")
    ] == [1]
    assert (daemon.bodies[-1], daemon.asked[-1][0]) == (b"abc", "image/import?a=b")
    daemon.answers["/v1/image/export"] = b"tar"
    assert b"".join(client.fetch("image/export", a="b")) == b"tar"


def test_a_refusal_before_the_whole_body_was_sent_is_told(tmp_path: Path) -> None:
    body = json.dumps({"schema": "lading.error/v1", "message": "disk is full", "exit": 1}).encode()
    head = b"HTTP/1.1 507 Full\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()

        def refuse() -> None:
            with listener.accept()[0] as connection:
                connection.recv(100)
                connection.sendall(head + body)

        thread = threading.Thread(target=refuse)
        thread.start()
        lines = Daemon(f"unix://{tmp_path}/s").send("image/import", iter([b"x" * 65536] * 200))
        with pytest.raises(CommandError, match="disk is full"):
            next(lines)
        thread.join()


def test_the_address_comes_from_environment_configuration_or_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LADING_ADMIN", raising=False)
    monkeypatch.setattr(cri.command.daemon_client, "_CONFIGURATION", tmp_path)
    assert admin_address() == DEFAULT_ADDRESS
    monkeypatch.setenv("LADING_ADMIN", "unix:///x")
    assert admin_address() == "unix:///x"
