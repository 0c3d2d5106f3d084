"""`lading demo`: one pod's whole life on a private daemon, each step timed, nothing left behind.

Everything lives in private directories, on a private bridge and a private registry on loopback; a running Lading,
its pods and its images are never touched. The image is made from the machine's own busybox.
"""

from cri.command.demo.verb import command

__all__ = ["command"]
