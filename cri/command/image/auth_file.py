"""Credentials out of docker's config.json, for the registry of one reference. Reads that file alone.

A credential goes to the daemon over the admin socket and is used for one pull; it is never printed.
"""

from collections.abc import Mapping
from pathlib import Path

from cri.command.daemon_client import CommandError
from cri.command.exit_codes import ExitCode
from image.errors import ImageError
from image.model.json_document import JsonObject, parse_json_object
from image.model.reference import DEFAULT_DOMAIN, parse_reference

_MAX_BYTES = 4 * 1024 * 1024
_HUB = ("https://index.docker.io/v1/", "index.docker.io", "docker.io")


def auth_for(file: Path, reference: str) -> Mapping[str, str]:
    """Return the credential for a reference's registry, empty when the file has none.

    Raises:
        CommandError: the file cannot be read, or the reference is none.
    """
    try:
        domain = parse_reference(reference).domain
        document = parse_json_object(file.read_bytes(), subject=str(file), max_bytes=_MAX_BYTES)
        entry = _entry(document, domain)
    except OSError as error:
        raise CommandError(f"{file}: cannot be read: {error.strerror}", ExitCode.USAGE) from error
    except ImageError as error:
        raise CommandError(str(error), ExitCode.USAGE) from error
    if entry is None:
        return {}
    return {
        "username": entry.text("username", default=""),
        "password": entry.text("password", default=""),
        "auth": entry.text("auth", default=""),
        "identity_token": entry.text("identitytoken", default=""),
        "registry_token": entry.text("registrytoken", default=""),
        "server_address": domain,
    }


def _entry(document: JsonObject, domain: str) -> JsonObject | None:
    auths = document.child("auths")
    if auths is None:
        return None
    wanted = _HUB if domain == DEFAULT_DOMAIN else (domain, f"https://{domain}")
    for name in auths.fields:
        if name in wanted or name.rstrip("/") in wanted:
            return auths.child(name)
    return None
