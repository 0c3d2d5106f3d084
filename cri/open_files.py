"""The limit of open files: the daemon takes all that it may have, its containers get what it was started with.

A service manager's usual soft limit of 1024 is too little for a full node, which needs a few descriptors per container
and per stream. It stays what containers see, since programs that use select(2) break above it. Touches no hard limit.
"""

import resource

from runtime.spec.request import Rlimit


def raise_open_files() -> tuple[Rlimit, ...]:
    """Raise the daemon's soft limit to its hard one; return the limit that containers must be given, if any."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return ()
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return (Rlimit(type="RLIMIT_NOFILE", soft=soft, hard=hard),)
