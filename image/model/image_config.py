"""The image config: what an image says about how its containers run (image-spec, config.md).

Pure: parses the config document and never obeys it; labels are shown, never read (security rule B5).
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageConfig:
    """The parts of an image config that a container or an operator needs."""

    architecture: str
    os: str
    variant: str = ""
    os_version: str = ""
    env: tuple[str, ...] = ()
    """`NAME=value` entries in the image's order; entries without `=` were dropped (security rule D7)."""
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    """As written in the image: `uid`, `uid:gid`, `name`, `name:group`, or empty."""
    stop_signal: str = ""
    volumes: tuple[str, ...] = ()
    """Paths declared by VOLUME, sorted."""
    labels: tuple[tuple[str, str], ...] = ()
    exposed_ports: tuple[str, ...] = ()
    diff_ids: tuple[str, ...] = ()
    """Digests of the uncompressed layers, bottom first."""
    created: str = ""
