"""Credentials out of docker's config.json, for the registry of one reference: from the file, or from a helper it names.

A credential goes to the daemon over the admin socket and is used for one pull; it is never printed. The same reader as
the daemon's, so that a file means the same in both places.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from cri.command.daemon_client import CommandError
from cri.command.exit_codes import ExitCode
from image.errors import ImageError
from image.model.records import RegistryAuth
from image.model.reference import parse_reference
from image.protocol.docker_config import MAX_CONFIG_BYTES, StoredCredential, parse_docker_config


def auth_for(file: Path, reference: str) -> Mapping[str, str]:
    """Return the credential for a reference's registry, empty when the file has none.

    Raises:
        CommandError: the file cannot be read, its helper fails, or the reference is none.
    """
    try:
        wanted = parse_reference(reference)
        with file.open("rb") as stream:
            config = parse_docker_config(stream.read(MAX_CONFIG_BYTES + 1), path=str(file))
        stored = config.find(wanted.domain, wanted.path)
        auth = _opened(stored) if stored else None
    except OSError as error:
        raise CommandError(f"{file}: cannot be read: {error.strerror}", ExitCode.USAGE) from error
    except ImageError as error:
        raise CommandError(str(error), ExitCode.USAGE) from error
    return asdict(replace(auth, server_address=wanted.domain)) if auth else {}


def _opened(stored: StoredCredential) -> RegistryAuth | None:
    if not stored.helper:
        return stored.auth
    import asyncio  # a helper is rare, and these cost 50 ms

    from image.registry.credential_helper import SEARCH_PATH, ask_helper

    # The operator runs it, so it is looked for where the operator's shell would.
    path = os.environ.get("PATH", SEARCH_PATH)
    return asyncio.run(ask_helper(stored.helper, stored.server, path=path))
