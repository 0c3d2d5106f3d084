"""Name every test image and what is in it that critest and our own tests ask for.

Only says what the images are; building and pushing happen elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from e2e.images import web_server
from e2e.images.host_programs import (
    GROUP,
    PASSWD,
    busybox_entries,
    busybox_program,
    compiled,
    dynamic_entries,
)
from e2e.images.image import DOCKER, OCI, MediaTypes, PublishedImage, Settings, publish
from e2e.images.layer import GZIP, ZSTD, Layer, build_layer, directory, regular
from e2e.tool_paths import system_tool

BUSYBOX = "registry.k8s.io/e2e-test-images/busybox:1.29-2"
NGINX = "registry.k8s.io/e2e-test-images/nginx:1.14-2"
IDLE = "registry.k8s.io/lading/idle:1"
SANDBOX = "registry.k8s.io/pause:3.10.1"
STAGING = "gcr.io/k8s-staging-cri-tools/"


@dataclass(frozen=True, kw_only=True)
class NamedImage:
    """An image and every reference it must be found under."""

    references: tuple[str, ...]
    image: PublishedImage


@dataclass(frozen=True, kw_only=True)
class SharedLayers:
    """Layers that several images have in common, built once."""

    busybox: Layer
    nginx: Layer


def shared_layers() -> SharedLayers:
    """Build what takes the time: busybox with pgrep and ipcs, and nginx with its libraries."""
    extra = dynamic_entries(
        {
            "bin/busybox": busybox_program(),
            "usr/bin/pgrep": system_tool("pgrep"),
            "usr/bin/ipcs": system_tool("ipcs"),
        }
    )
    return SharedLayers(
        busybox=build_layer([*extra, *busybox_entries()]),
        nginx=build_layer(web_server.program_entries()),
    )


def on_busybox(
    shared: SharedLayers, mark: str = "", user: str = "", family: MediaTypes = OCI
) -> PublishedImage:
    """Return busybox, told apart by a file named like the mark, running as a user."""
    layers = [shared.busybox]
    if mark:
        layers.append(build_layer([regular(mark, f"{mark}\n".encode())]))
    return publish(Settings(command=("sh",), user=user), layers, family)


def web_images(shared: SharedLayers) -> Iterator[NamedImage]:
    """Yield the web servers: on port 80, on 80 with its name in the log, and on the host's 12003."""
    plain = web_server.foreground_command()
    for reference, port, entrypoint in (
        (NGINX, 80, plain),
        (
            "registry.k8s.io/e2e-test-images/httpd:2.4.39-4",
            80,
            web_server.announcing_command("httpd"),
        ),
        (STAGING + "hostnet-nginx-amd64:latest", 12003, plain),
    ):
        layers = [shared.busybox, shared.nginx, build_layer(web_server.configuration_entries(port))]
        yield NamedImage(
            references=(reference,), image=publish(Settings(entrypoint=entrypoint), layers, DOCKER)
        )


def program_images() -> Iterator[NamedImage]:
    """Yield the images of one compiled program: nonewprivs, and pause under both of its names."""
    privileged = build_layer([regular("nnp", compiled("nnp.c"), mode=0o4755)])
    yield NamedImage(
        references=("registry.k8s.io/e2e-test-images/nonewprivs:1.3",),
        image=publish(Settings(entrypoint=("/nnp",)), [privileged], DOCKER),
    )
    pause = build_layer([regular("pause", compiled("pause.c"), mode=0o755)])
    yield NamedImage(
        references=("registry.k8s.io/pause:3.9", "k8s.gcr.io/pause:3.9"),
        image=publish(Settings(entrypoint=("/pause",), user="65535:65535"), [pause], DOCKER),
    )
    # critest removes pause:3.9 by id, so a runtime that needs a sandbox image gets one of its own.
    own = Settings(entrypoint=("/pause",), user="65535:65535", labels={"purpose": "sandbox"})
    yield NamedImage(references=(SANDBOX,), image=publish(own, [pause], DOCKER))


def user_images(shared: SharedLayers) -> Iterator[NamedImage]:
    """Yield the images whose config names a user in each of the allowed forms."""
    for suffix, user in (
        ("uid", "1002"),
        ("username", "www-data"),
        ("uid-group", "1003:users"),
        ("username-group", "www-data:100"),
    ):
        name = f"{STAGING}test-image-user-{suffix}:latest"
        yield NamedImage(
            references=(name,), image=on_busybox(shared, mark=f"user-{suffix}", user=user)
        )
    people = build_layer(
        [
            directory("etc"),
            directory("home/default-user", uid=1000, gid=1000),
            regular(
                "etc/passwd", PASSWD + b"default-user:x:1000:1000::/home/default-user:/bin/sh\n"
            ),
            regular(
                "etc/group",
                GROUP + b"default-user:x:1000:\ngroup-defined-in-image:x:50000:default-user\n",
            ),
        ]
    )
    yield NamedImage(
        references=(STAGING + "test-image-predefined-group:latest",),
        image=publish(Settings(command=("sh",), user="1000"), [shared.busybox, people]),
    )


def named_images(shared: SharedLayers) -> Iterator[NamedImage]:
    """Yield the images that exist to be pulled, listed, tagged and removed."""
    for name in ("latest:latest", "tag:test", "tag:all", "digest:latest"):
        family = DOCKER if name.startswith("tag") else OCI
        mark = "test-image-" + name.replace(":", "-")
        yield NamedImage(
            references=(f"{STAGING}test-image-{name}",),
            image=on_busybox(shared, mark=mark, family=family),
        )
    for number in (1, 2, 3):
        yield NamedImage(
            references=(f"{STAGING}test-image-{number}:latest",),
            image=on_busybox(shared, mark=f"test-image-{number}"),
        )
    yield NamedImage(
        references=tuple(f"{STAGING}test-image-tags:{tag}" for tag in (1, 2, 3)),
        image=on_busybox(shared, mark="test-image-tags"),
    )


def extra_images(shared: SharedLayers) -> Iterator[NamedImage]:
    """Yield images for Lading's own tests: zstd, many layers, a stop signal, an idle process."""
    pause = build_layer([regular("pause", compiled("pause.c"), mode=0o755)])
    mixed = [shared.busybox, build_layer([regular("zstd-layer", b"zstd\n")], ZSTD)]
    many = [build_layer([regular(f"layer-{n}", f"{n}\n".encode())], GZIP) for n in range(20)]
    stop = Settings(command=("sh",), stop_signal="SIGINT", labels={"purpose": "stop signal"})
    for name, settings, layers in (
        (IDLE, Settings(entrypoint=("/pause",)), [shared.busybox, pause]),
        ("registry.k8s.io/lading/zstd:1", Settings(command=("sh",)), mixed),
        (
            "registry.k8s.io/lading/many-layers:1",
            Settings(command=("sh",)),
            [shared.busybox, *many],
        ),
        ("registry.k8s.io/lading/stop-signal:1", stop, [shared.busybox]),
    ):
        yield NamedImage(references=(name,), image=publish(settings, layers))


def all_images() -> list[NamedImage]:
    """Build every image; takes a few seconds, so callers go through `cache`."""
    shared = shared_layers()
    main = NamedImage(references=(BUSYBOX,), image=on_busybox(shared))
    return [
        main,
        *web_images(shared),
        *program_images(),
        *user_images(shared),
        *named_images(shared),
        *extra_images(shared),
    ]
