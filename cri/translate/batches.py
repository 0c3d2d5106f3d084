"""Cuts lists into the messages of a Stream* method. An empty list gives no message: the stream just ends."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

BATCH = 5000
"""Objects in one message, as containerd sends them; 5000 containers are about 5 MiB of the kubelet's 16."""

Item = TypeVar("Item")


def batches(items: Sequence[Item], size: int = BATCH) -> Iterator[Sequence[Item]]:
    """Return consecutive parts of at most `size` items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
