"""The table of all verbs: path, what answers it, and whether it changes something."""

from collections.abc import Callable
from functools import partial

from cri.admin.dispatch import Ask, Dispatcher, Verb, Watch, Whole
from cri.admin.http_messages import Reply
from cri.admin.image_export import export_images
from cri.admin.image_fsck import check_images
from cri.admin.image_import import import_images, known_images
from cri.admin.image_inspect import inspect_image
from cri.admin.image_list import list_images
from cri.admin.image_pull import list_pulls, pull_image
from cri.admin.image_remove import prune_images, remove_image
from cri.admin.image_resolve import resolve_image
from cri.admin.image_tag import pin_image, tag_image, unpin_image
from cri.admin.operations import cancel_operation, operation, operations
from cri.admin.parts import AdminParts
from cri.admin.status import status
from cri.admin.version import version
from cri.admin.why import why

REMOVAL_SECONDS = 600.0
"""Deleting the files of many extracted layers takes the disk's time."""


def admin_dispatcher(parts: AdminParts, page: Callable[[], Reply]) -> Dispatcher:
    """Return what answers on the admin socket; `page` gives the metrics."""
    return Dispatcher(_verbs(parts), {"/metrics": page})


def metrics_dispatcher(page: Callable[[], Reply]) -> Dispatcher:
    """Return what answers on TCP: metrics and nothing else."""
    return Dispatcher({}, {"/metrics": page})


def _verbs(parts: AdminParts) -> dict[str, Verb]:
    return {
        "status": Ask(answer=partial(status, parts)),
        "version": Ask(answer=partial(version, parts)),
        "operations": Ask(answer=partial(operations, parts)),
        "operation": Ask(answer=partial(operation, parts)),
        "operation/cancel": Ask(answer=partial(cancel_operation, parts), changes=True),
        "why": Ask(answer=partial(why, parts)),
        "image/ls": Ask(answer=partial(list_images, parts)),
        "image/inspect": Ask(answer=partial(inspect_image, parts)),
        "image/pulls": Ask(answer=partial(list_pulls, parts)),
        "image/import/known": Watch(lines=partial(known_images, parts)),
        "image/import": Whole(reply=partial(import_images, parts), changes=True),
        "image/export": Whole(reply=partial(export_images, parts)),
        "image/fsck": Watch(lines=partial(check_images, parts)),
        "image/pull": Watch(lines=partial(pull_image, parts)),
        "image/rm": Ask(answer=partial(remove_image, parts), changes=True, seconds=REMOVAL_SECONDS),
        "image/prune": Ask(
            answer=partial(prune_images, parts), changes=True, seconds=REMOVAL_SECONDS
        ),
        "image/resolve": Ask(answer=partial(resolve_image, parts), seconds=120.0),
        "image/tag": Ask(answer=partial(tag_image, parts), changes=True),
        "image/pin": Ask(answer=partial(pin_image, parts), changes=True),
        "image/unpin": Ask(answer=partial(unpin_image, parts), changes=True),
    }
