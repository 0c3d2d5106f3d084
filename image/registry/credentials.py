"""Credentials of one pull: whom they are for, and the header they become.

Bound to one origin by whoever sends them. Never printed: no repr shows a value, no error quotes one.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field

from image.errors import InvalidArgument
from image.model.records import RegistryAuth
from image.model.reference import Reference
from image.protocol.docker_config import canonical_host
from image.protocol.mirror_rules import Endpoint

_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f]")
_TOKEN68 = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """What proves who we are; hashable, so that tokens are kept per credential."""

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    """An OAuth2 refresh token."""
    registry_token: str = field(default="", repr=False)
    """A bearer token, used as it is."""


def credential_for(
    auth: RegistryAuth | None, endpoint: Endpoint, reference: Reference
) -> Credential | None:
    """Give the credential that may be sent to `endpoint`, or None for an anonymous request.

    A `server_address` that is another host's keeps the credential here; one that names a mirror is the only thing in
    the request that gives it to a mirror (security rule C1).

    Raises:
        InvalidArgument: the credentials cannot be read or sent.
    """
    if auth is None or endpoint.is_foreign:
        return None
    if not _is_meant(auth.server_address, endpoint, reference):
        return None
    credential = read_credential(auth)
    return None if credential == Credential() else credential


def basic_header(credential: Credential) -> str:
    """Make the value of a Basic Authorization header (RFC 7617)."""
    pair = f"{credential.username}:{credential.password}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _is_meant(server_address: str, endpoint: Endpoint, reference: Reference) -> bool:
    if not server_address:
        return endpoint.gets_credentials
    meant = canonical_host(server_address)
    if meant == canonical_host(reference.domain):
        return endpoint.gets_credentials
    written_here = endpoint.url.startswith("https://") or endpoint.gets_credentials
    return written_here and meant == canonical_host(endpoint.url)


def read_credential(auth: RegistryAuth) -> Credential:
    """Turn credentials of any form into what is sent.

    Raises:
        InvalidArgument: they cannot be read or sent.
    """
    username, password = auth.username, auth.password
    if not username and auth.auth:
        username, password = _decode_pair(auth.auth)
    if ":" in username or _UNSENDABLE.search(username + password):
        raise _unusable("holds characters that HTTP cannot carry")  # RFC 7617 section 2
    for token in (auth.identity_token, auth.registry_token):
        if token and not _TOKEN68.fullmatch(token):
            raise _unusable("holds a token with characters that HTTP cannot carry")
    return Credential(
        username=username,
        password=password,
        identity_token=auth.identity_token,
        registry_token=auth.registry_token,
    )


def _decode_pair(encoded: str) -> tuple[str, str]:
    try:
        # Docker pads the password with NUL; Go's decoder accepts missing padding never
        text = base64.b64decode(encoded.strip(), validate=True).decode().rstrip("\x00")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise _unusable("is not base64 of user:password") from error
    username, colon, password = text.partition(":")
    if not colon:
        raise _unusable("is not base64 of user:password")
    return username, password


def _unusable(cause: str) -> InvalidArgument:
    return InvalidArgument(
        "registry credentials",
        cause,
        remedy="correct the pull secret",
        reason="InvalidCredentials",
    )
