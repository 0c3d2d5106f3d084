"""Remember what trials found out about runtimes, so that each program is tried once per kernel.

One small JSON file below the root directory. An entry counts only for a program of the same size and time, on the same
kernel release. A file that cannot be read is as good as none.
"""

import json
import os
from pathlib import Path

from runtime.drivers.feature_trial import TrialResult
from runtime.host.atomic_write import write_atomically
from runtime.spec.document import JsonValue, Spec, is_object

_KEY = ("size", "mtime_ns", "kernel")


def read_result(file: Path, program: str) -> TrialResult | None:
    """Return what was found for a program as it is now, None when it was not tried yet."""
    entry = _entries(file).get(program)
    if not is_object(entry) or any(entry.get(key) != _stamp(program).get(key) for key in _KEY):
        return None
    return TrialResult(
        recursive_read_only_mounts=entry.get("recursive_read_only_mounts") is True,
        id_mapped_mounts=entry.get("id_mapped_mounts") is True,
    )


def write_result(file: Path, program: str, found: TrialResult) -> None:
    """Remember what was found.

    Raises:
        OSError: it cannot be written; the old entries stay.
    """
    entry: Spec = {
        **_stamp(program),
        "recursive_read_only_mounts": found.recursive_read_only_mounts,
        "id_mapped_mounts": found.id_mapped_mounts,
    }
    document: JsonValue = {**_entries(file), program: entry}
    # A result that a power cut loses is found again.
    write_atomically(file, json.dumps(document).encode(), durable=False)


def _stamp(program: str) -> Spec:
    try:
        status = os.stat(program)
    except OSError:
        return {}
    return {
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "kernel": os.uname().release,
    }


def _entries(file: Path) -> Spec:
    try:
        document: JsonValue = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return document if is_object(document) else {}
