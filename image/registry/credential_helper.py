"""Asks a docker-credential-NAME program for the credentials of a server, over its standard streams.

Follows Docker's protocol: `get`, the server on standard input, JSON on standard output. The program gets a built
environment and a deadline, and is killed when it misses it; what it prints is never shown, since it may be a secret.
"""

import asyncio
import contextlib
import os
import shutil

from image.errors import ImageError, Unavailable
from image.model.json_document import parse_json_object
from image.model.records import RegistryAuth

HELPER_SECONDS = 20.0
"""Helpers of clouds ask their own servers; the kubelet's plugins get a minute for the same."""
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where helpers are looked for; never in the daemon's own PATH."""

_MAX_OUTPUT = 64 * 1024
_TOKEN_USER = "<token>"  # noqa: S105 - the word by which helpers say that the secret is an identity token
_NOT_FOUND = b"credentials not found"


async def ask_helper(
    name: str, server: str, *, seconds: float = HELPER_SECONDS, path: str = SEARCH_PATH
) -> RegistryAuth | None:
    """Give what the helper knows of `server`, or None when it knows nothing.

    Raises:
        Unavailable: there is no such program, or it failed, was late or printed nonsense.
    """
    program = shutil.which(f"docker-credential-{name}", path=path)
    if program is None:
        raise _failed(name, f"is not installed in {path}")
    # HOME: most helpers keep their own settings there
    environment = {"PATH": path, "HOME": os.environ.get("HOME", "/root"), "LANG": "C.UTF-8"}
    process = await asyncio.create_subprocess_exec(
        program,
        "get",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
        cwd="/",
        limit=_MAX_OUTPUT,
    )
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate(server.encode() + b"\n")
    except TimeoutError as error:
        raise _failed(name, f"did not answer in {seconds:g} s") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        if _NOT_FOUND in output[:1024]:
            return None
        raise _failed(name, f"ended with {process.returncode}")
    return _read(name, output)


def _read(name: str, output: bytes) -> RegistryAuth | None:
    try:
        document = parse_json_object(output, subject=name, max_bytes=_MAX_OUTPUT)
        user, secret = document.text("Username", default=""), document.text("Secret", default="")
    except ImageError:
        # neither the cause nor its chain: the parser quotes what it read
        raise _failed(name, "printed something else than credentials") from None
    if not secret:
        return None
    if user == _TOKEN_USER:
        return RegistryAuth(identity_token=secret)
    return RegistryAuth(username=user, password=secret)


def _failed(name: str, cause: str) -> Unavailable:
    return Unavailable(
        f"credential helper docker-credential-{name}",
        cause,
        remedy="run it by hand with `get` as the daemon's user",
        reason="CredentialHelperFailed",
    )
