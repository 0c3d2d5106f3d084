"""The verb `version`: what the daemon is, and which handlers it found. Answers from memory."""

from cri.admin.arguments import Arguments
from cri.admin.parts import AdminParts


async def version(parts: AdminParts, arguments: Arguments) -> dict[str, object]:
    """Answer `version`; the command adds its own."""
    arguments.finish()
    known = parts.versions
    return {
        "schema": "lading.version/v1",
        "daemon": known.daemon,
        "cri": known.cri,
        "cri_api": known.cri_api,
        "state_schema": known.state_schema,
        "handlers": [
            {
                "name": name,
                "version": found.version,
                "usable": found.usable,
                "reason": found.reason,
                "default": name == parts.node.default_handler,
            }
            for name, found in sorted(parts.node.features.items())
        ],
    }
