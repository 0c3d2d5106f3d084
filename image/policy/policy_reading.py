"""Reads the policy file of this node, anew each time. Loads no cryptography, so that the daemon may ask it."""

import asyncio
from pathlib import Path

from image.errors import InvalidArgument
from image.policy.policy_file import ACCEPT_ALL, MAX_FILE_BYTES, Policy, parse_policy


async def read_policy(path: str) -> Policy:
    """Read the policy file of this node, anew each time; an unset path accepts everything.

    Raises:
        InvalidArgument: it cannot be read or understood.
    """
    return await asyncio.to_thread(_read, path) if path else ACCEPT_ALL


def _read(path: str) -> Policy:
    try:
        with Path(path).open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
        if len(raw) > MAX_FILE_BYTES:
            raise _unusable(path, f"is larger than {MAX_FILE_BYTES} bytes")
        return parse_policy(raw.decode(), path=path)
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _unusable(path, "is not UTF-8") from error


def _unusable(path: str, cause: str) -> InvalidArgument:
    return InvalidArgument(path, cause, remedy="correct policy_path", reason="InvalidPolicy")
