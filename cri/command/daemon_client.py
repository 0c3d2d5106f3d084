"""Asks the daemon over its admin socket: one HTTP/1.1 request per question, by the standard library alone.

Promise: whatever goes wrong becomes a `CommandError` with a sentence and an exit code; never retries a question that
changes something. Knows no verb.
"""

import contextlib
import http.client
import json
import os
import socket
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import click

from cri.command.exit_codes import ExitCode
from image.errors import ImageError
from image.model.json_document import JsonObject, parse_json_object

DEFAULT_ADDRESS = "unix:///run/lading/admin.sock"
_VARIABLE = "LADING_ADMIN"
_CONFIGURATION = Path("/etc/lading")
_MAX_LINE = 64 * 1024 * 1024
_CONNECT_SECONDS = 5.0


class CommandError(click.ClickException):
    """A verb failed; the sentence is complete, and the exit code decided."""

    def __init__(self, message: str, code: int, document: str = "") -> None:
        self.code = code
        """What the process exits with."""
        self.document = document
        """The daemon's error document, for `--json`; empty when it did not answer."""
        super().__init__(message)


class _UnixConnection(http.client.HTTPConnection):
    """http.client over a path socket."""

    def __init__(self, path: str, seconds: float | None) -> None:
        super().__init__("lading", timeout=seconds)
        self._path = path
        self._seconds = seconds

    def connect(self) -> None:
        """Connect to the path instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_CONNECT_SECONDS)
        self.sock.connect(self._path)
        self.sock.settimeout(self._seconds)


class Daemon:
    """The daemon behind one admin socket."""

    def __init__(self, address: str = "") -> None:
        self.address = address or admin_address()
        self._path = self.address.removeprefix("unix://")
        if not self._path.startswith("/"):
            raise CommandError(
                f"address {self.address[:100]}: must have the form unix:///PATH", ExitCode.USAGE
            )

    def ask(self, verb: str, *, seconds: float = 65.0, **arguments: object) -> JsonObject:
        """Return the answer of a verb.

        Raises:
            CommandError: there is no daemon, or it refused.
        """
        with self._request(verb, json.dumps(arguments).encode(), seconds) as response:
            return _document(self._read(response))

    def watch(self, verb: str, **arguments: object) -> Iterator[JsonObject]:
        """Yield the lines of a verb's answer as they come; waits for each as long as it takes.

        Raises:
            CommandError: as `ask`, also in the middle.
        """
        with self._request(verb, json.dumps(arguments).encode(), None) as response:
            while line := self._line(response):
                yield _document(line)

    def send(self, verb: str, body: Iterable[bytes], **arguments: str) -> Iterator[JsonObject]:
        """Send bytes as a verb's body, and yield the lines of the answer."""
        path = f"{verb}?{urlencode(arguments)}"
        with self._request(path, body, None) as response:
            while line := self._line(response):
                yield _document(line)

    def fetch(self, verb: str, **arguments: object) -> Iterator[bytes]:
        """Yield the pieces of an answer that is not JSON."""
        body = json.dumps(arguments).encode() if arguments else None
        with self._request(verb, body, None) as response:
            while piece := self._piece(response):
                yield piece

    @contextlib.contextmanager
    def _request(
        self, path: str, body: bytes | Iterable[bytes] | None, seconds: float | None
    ) -> Iterator[http.client.HTTPResponse]:
        connection = _UnixConnection(self._path, seconds)
        try:
            method = "GET" if body is None else "POST"
            target = path if path.startswith("/") else f"/v1/{path}"
            try:
                # A daemon that refuses in the middle of a body has said why before it closed.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.request(method, target, body=body)
                response = connection.getresponse()
            except OSError as error:
                raise self._unreachable(error) from error
            except http.client.HTTPException as error:
                raise CommandError(
                    f"daemon at {self.address}: does not speak HTTP", ExitCode.FAILED
                ) from error
            with response:
                if response.status != http.HTTPStatus.OK:
                    raise _refusal(self._read(response))
                yield response
        finally:
            connection.close()

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._lost() from error

    def _piece(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.read1(1024 * 1024)
        except (OSError, http.client.HTTPException) as error:
            raise self._lost() from error

    def _line(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.readline(_MAX_LINE)
        except (OSError, http.client.HTTPException) as error:
            raise self._lost() from error

    def _lost(self) -> CommandError:
        return CommandError(
            f"daemon at {self.address}: ended during the answer; see its log", ExitCode.NO_DAEMON
        )

    def _unreachable(self, error: OSError) -> CommandError:
        if isinstance(error, PermissionError):
            cause, remedy = "may only be asked by root", "use sudo"
        elif isinstance(error, TimeoutError):
            cause, remedy = "did not answer in time", "see 'lading operations', or the daemon's log"
            return CommandError(f"daemon at {self.address}: {cause}; {remedy}", ExitCode.DEADLINE)
        else:
            cause = "does not answer"
            remedy = "start it with 'lading serve', or name its socket with --admin"
        return CommandError(f"daemon at {self.address}: {cause}; {remedy}", ExitCode.NO_DAEMON)


def admin_address() -> str:
    """Return where this machine's daemon listens: the environment, else the configuration, else the default."""
    named = os.environ.get(_VARIABLE, "")
    if named:
        return named
    if not (_CONFIGURATION / "config.toml").exists() and not (_CONFIGURATION / "conf.d").exists():
        return DEFAULT_ADDRESS
    from cri.config_reader import read_configuration  # reading TOML costs 20 ms

    return read_configuration().settings.admin_address


def _document(raw: bytes) -> JsonObject:
    """Read an answer; an error document, as the last line of a stream, becomes an error."""
    try:
        document = parse_json_object(raw, subject="answer of the daemon", max_bytes=_MAX_LINE)
    except ImageError as error:
        raise CommandError(str(error), ExitCode.FAILED) from error
    if document.text("schema", default="") == "lading.error/v1":
        raise _refusal(raw)
    return document


def _refusal(raw: bytes) -> CommandError:
    try:
        fields = parse_json_object(raw, subject="refusal of the daemon", max_bytes=_MAX_LINE)
        lines = [fields.text("message"), *(f"  {line}" for line in fields.texts("details"))]
        code = fields.integer("exit")
    except ImageError:
        return CommandError("the daemon refused without saying why; see its log", ExitCode.FAILED)
    return CommandError("\n".join(lines), code, raw.decode(errors="replace").strip())


def report_error(error: CommandError, *, as_json: bool) -> int:
    """Print a failure and return its exit code."""
    if as_json and error.document:
        print(error.document)
    print(f"lading: {error.message}", file=sys.stderr)
    return error.code
