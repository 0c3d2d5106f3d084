"""`lading image`: verbs about images, one file per verb. Each asks the daemon and prints; none decides anything."""

from typing import ClassVar

import click

from cri.command.lazy_group import LazyGroup, Verbs


class _Image(LazyGroup):
    """All verbs about images."""

    verbs: ClassVar[Verbs] = {
        "pull": ("cri.command.image.pull", "Pull images, with progress."),
        "pulls": ("cri.command.image.pulls", "Show all pulls that run, the kubelet's too."),
        "ls": ("cri.command.image.list", "List images, their real size, and what uses them."),
        "inspect": ("cri.command.image.inspect", "Show one image with its documents and layers."),
        "resolve": ("cri.command.image.resolve", "Show where a pull would go, and what it hears."),
        "rm": ("cri.command.image.remove", "Remove images or names of them."),
        "prune": ("cri.command.image.prune", "Remove all images that nothing keeps."),
        "fsck": ("cri.command.image.fsck", "Look for damage, and repair it."),
        "import": ("cri.command.image.archive_import", "Bring images in from an archive."),
        "export": ("cri.command.image.archive_export", "Write images into an archive."),
        "tag": ("cri.command.image.tag", "Give an image another name."),
        "pin": ("cri.command.image.pin:pin", "Keep an image from being removed."),
        "unpin": ("cri.command.image.pin:unpin", "Take a pin away."),
    }


@click.group("image", cls=_Image)
def command() -> None:
    r"""Pull, list, question, keep, move and repair images.

    \b
    Examples:
      lading image pull docker.io/library/busybox:1.36
      lading image ls
      lading image prune --dry-run
    """
