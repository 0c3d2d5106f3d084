"""What the worker process may use, whatever an image asks for.

Pure numbers, each with its reason.
"""

MEMORY_BYTES = 4 * 2**30
"""Address space, not memory: a thread's stack and heap arena alone reserve 72 MiB each, a zstd window 128 MiB."""

OPEN_FILES = 2048
"""256 cached directories per layer, connections, and the 500 layers that an image may look below itself."""


def thread_count(concurrent_layers: int) -> int:
    """Return how many threads the worker needs: two for each layer under way, and spare ones.

    With fewer, an inflating thread could wait for an extraction that never gets a thread.
    """
    return 2 * max(1, concurrent_layers) + 8
