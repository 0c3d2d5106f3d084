"""Which user, group and supplementary groups a container's first process gets."""

from runtime.records.security import ContainerSecurity
from runtime.spec.request import ResolvedUser


def resolve_user(
    security: ContainerSecurity, image_user: str, passwd: str, group: str
) -> ResolvedUser:
    """Look the user up in the image's own passwd and group texts.

    Raises:
        InvalidArgument: the user or group is unknown, malformed, or a number that is too large.
    """
    raise NotImplementedError
