"""What an image says about how its containers run, and how that meets what was asked for.

`cri` fills in `ImageDefaults` from the image's config. Labels are not part of it: an image never controls the runtime
(security rule B5). Env entries without `=` are dropped here again (rule D7).
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageDefaults:
    """The parts of an image config that a container inherits."""

    env: tuple[str, ...] = ()
    """`NAME=value` entries in the image's order."""
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    """As written in the image: `uid`, `uid:gid`, `name`, `name:group`, or empty."""
    stop_signal: str = ""
    volumes: tuple[str, ...] = ()
    """Paths declared by VOLUME, sorted."""
