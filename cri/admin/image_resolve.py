"""The verb `image/resolve`: which URLs a pull would ask, in order, as whom, and what each says. Downloads nothing."""

from cri.admin.arguments import Arguments
from cri.admin.image_pull import read_auth
from cri.admin.parts import AdminParts
from cri.admin.texts import seconds


async def resolve_image(parts: AdminParts, arguments: Arguments) -> dict[str, object]:
    """Answer `image/resolve`.

    Raises:
        InvalidArgument: the reference, hosts.toml or the credentials have an error.
    """
    reference = arguments.text("reference")
    auth = read_auth(arguments)
    arguments.finish()
    found = await parts.puller.endpoints(reference, auth=auth)
    return {
        "schema": "lading.image-resolve/v1",
        "reference": reference,
        "endpoints": [
            {
                "url": one.url,
                "rule": one.rule,
                "auth": one.auth,
                "auth_why": one.why,
                "asked": one.asked,
                "works": one.works,
                "result": one.result,
                "digest": one.digest,
                "seconds": seconds(one.seconds),
            }
            for one in found
        ],
    }
