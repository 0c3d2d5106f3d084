"""Error bodies of registries: `{"errors": [{"code", "message", "detail"}]}` (distribution-spec, "Error Codes").

Pure and lenient: whatever is not understood is left out, since the status code already tells the failure. Text is cut
and redacted, because it is printed.
"""

import json
from dataclasses import dataclass

from image.model.json_document import MAX_DEPTH, json_depth
from image.protocol.url_origin import redact_text

MAX_ERROR_BODY = 64 * 1024
"""How much of an error body is read; go-containerregistry has the same cap."""
_MAX_ENTRIES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryErrorEntry:
    """One error as the registry words it."""

    code: str
    """Upper case, for example MANIFEST_UNKNOWN; empty when it gave none."""
    message: str

    def __str__(self) -> str:
        return (
            f"{self.code}: {self.message}"
            if self.code and self.message
            else self.code + self.message
        )


def parse_error_body(body: bytes) -> tuple[RegistryErrorEntry, ...]:
    """Read the entries of an error body; nothing when it is not of that form."""
    document = _load(body[:MAX_ERROR_BODY])
    if not isinstance(document, dict):
        return ()
    errors = document.get("errors")
    if isinstance(errors, list):
        return tuple(_read_entry(item) for item in errors[:_MAX_ENTRIES] if isinstance(item, dict))
    # token servers: {"details": ...} of Docker, {"error", "error_description"} of RFC 6749 section 5.2
    code, text = document.get("error"), document.get("error_description") or document.get("details")
    if isinstance(code, str) or isinstance(text, str):
        return (_read_entry({"code": code, "message": text}),)
    return ()


def describe_errors(entries: tuple[RegistryErrorEntry, ...]) -> str:
    """Join the entries to one line, empty when there are none."""
    return "; ".join(filter(None, (str(entry) for entry in entries)))


def _load(body: bytes) -> object:
    if json_depth(body) > MAX_DEPTH:
        return None
    try:
        document: object = json.loads(body.decode("utf-8", errors="replace"))
    except ValueError:
        return None
    return document


def _read_entry(item: dict[str, object]) -> RegistryErrorEntry:
    code, message = item.get("code"), item.get("message")
    return RegistryErrorEntry(
        code=redact_text(code, limit=60).upper() if isinstance(code, str) else "",
        message=redact_text(message) if isinstance(message, str) else "",
    )
