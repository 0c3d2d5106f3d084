"""Stand-ins for programs that misbehave: CNI plugins and OCI runtimes that fail, hang or print garbage.

Each is a small shell script in a folder of the run; a behaviour file beside it says what to do, so a
test can change its mind while the daemon runs.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

PLUGIN = """#!/bin/sh
config=$(cat)
if [ "$CNI_COMMAND" = VERSION ]; then
  echo '{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}'
  exit 0
fi
[ "$CNI_COMMAND" = ADD ] || exit 0
case $(cat "$(dirname "$0")/behaviour") in
  fail) echo '{"cniVersion":"1.0.0","code":100,"msg":"no more blue addresses"}'; exit 1 ;;
  fail-without-json) echo 'segmentation fault' >&2; exit 139 ;;
  garbage) echo 'this is not { json' ;;
  no-address) echo '{"cniVersion":"1.0.0","ips":[],"interfaces":[]}' ;;
  flood) yes '{"cniVersion":"1.0.0"' | head -c 50000000 ;;
  hang) exec sleep 25 ;;
esac
"""
RUNTIME = """#!/bin/sh
for word in "$@"; do
  case $(cat "$(dirname "$0")/behaviour"):$word in
    fail:create) echo 'faulty runtime: the moon is too bright' >&2; exit 1 ;;
    garbage:create) echo 'this is not json'; exit 0 ;;
    hang:create) touch "$(dirname "$0")/hangs"; exec sleep 25 ;;
    hang-create:create | hang-start:start) touch "$(dirname "$0")/hangs"; exec sleep 100 ;;
  esac
done
exec REAL "$@"
"""
PLUGIN_FAULTS = ("fail", "fail-without-json", "garbage", "no-address", "flood")
RUNTIME_FAULTS = ("fail", "garbage")


def behave(folder: Path, behaviour: str) -> None:
    """Choose what the stand-in in a folder does from now on."""
    (folder / "behaviour").write_text(behaviour)


def write_program(path: Path, text: str, behaviour: str) -> Path:
    """Write an executable stand-in and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    behave(path.parent, behaviour)
    return path


def write_faulty_runtime(folder: Path, real: Path, behaviour: str) -> Path:
    """Write a runtime that works like the real one, except at `create`; return its path."""
    text = RUNTIME.replace("REAL", str(real))
    return write_program(folder / "odd-runtime", text, behaviour)


def wait_hanging(folder: Path) -> None:
    """Wait until the runtime in a folder has begun to hang."""
    deadline = time.monotonic() + 60
    while not (folder / "hangs").exists():
        assert time.monotonic() < deadline, f"the runtime below {folder} was not asked to hang"
        time.sleep(0.01)


def write_faulty_network(folder: Path, behaviour: str) -> tuple[Path, Path]:
    """Write a network whose only plugin misbehaves; return (configuration folder, plugin folder)."""
    plugins, configuration = folder / "bin", folder / "net.d"
    write_program(plugins / "faulty", PLUGIN, behaviour)
    configuration.mkdir(parents=True, exist_ok=True)
    content = {"cniVersion": "1.0.0", "name": "faulty", "plugins": [{"type": "faulty"}]}
    (configuration / "10-faulty.conflist").write_text(json.dumps(content))
    return configuration, plugins
