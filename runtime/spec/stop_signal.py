"""The signal that stops a container."""


def stop_signal(requested: str, image: str) -> str:
    """Return the name (`SIGTERM`) of CRI's signal, else the image's, else SIGTERM.

    Raises:
        InvalidArgument: the name or number is unknown.
    """
    raise NotImplementedError


def signal_number(name: str) -> int:
    """Return the number of a signal name on Linux. Raises InvalidArgument."""
    raise NotImplementedError
