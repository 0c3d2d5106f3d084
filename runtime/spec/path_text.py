"""Paths inside a container as text: made clean and compared, never opened.

What is done to a path here says nothing about links; whoever opens one does so below the container's root.
"""


def clean_path(path: str) -> str:
    """Return the absolute form without empty, `.` and `..` parts; `..` at the root stays at the root."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def is_at_or_below(path: str, ancestor: str) -> bool:
    """Tell whether one clean path is another, or inside of it."""
    return path == ancestor or path.startswith(f"{ancestor.rstrip('/')}/")


def depth(path: str) -> int:
    """Return how many parts a clean path has; the root has none."""
    return len(path.strip("/").split("/")) if path != "/" else 0


def is_plain_relative(path: str) -> bool:
    """Tell whether a path is relative and stays where it starts: no root, no `..`, not empty."""
    return bool(path) and not path.startswith("/") and ".." not in path.split("/")
