"""Run critest against Lading, containerd or any endpoint, and hold it to the list of passing specs.

    python -m e2e.conformance_critest --runtime lading --handler crun --check

Starts its own registry with all test images and its own daemon; leaves nothing of either.
Benchmarks are never run (see e2e/bench). Exit code 1: a promised spec did not pass, or (without
--check) any failed.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.cgroup_setup import cgroups_for
from e2e.cri_client import connected
from e2e.critest_report import Spec, broken_promises, grow, read_expected, read_report, summary
from e2e.daemon import Lading
from e2e.images.catalogue import BUSYBOX, NGINX
from e2e.leftovers import take_snapshot, wait_clean
from e2e.reference_containerd import Containerd
from e2e.session import Session, private_session
from e2e.tool_paths import CRI_TOOLS, built_tool

COMMON = Path(__file__).parent / "critest_passing.txt"
"""What must pass with every handler."""
STREAMS = ("exec", "attach", "portforward")


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m e2e.conformance_critest")
    parser.add_argument("--runtime", choices=("lading", "containerd"), default="lading")
    parser.add_argument("--endpoint", help="test this running daemon instead of starting one")
    parser.add_argument("--handler", default="", help="runtime handler (default: the daemon's)")
    parser.add_argument("--seed", type=int, help="order of the specs (default: random, printed)")
    parser.add_argument("--focus", action="append", default=[], help="only specs that match")
    parser.add_argument("--skip", action="append", default=[], help="not the specs that match")
    parser.add_argument("--websocket", action="store_true", help="stream by WebSocket, not SPDY")
    parser.add_argument("--report", type=Path, help="keep critest's JSON report here")
    parser.add_argument("--daemon-log", type=Path, help="keep the daemon's log here")
    parser.add_argument("--check", action="store_true", help="fail if a promised spec fails")
    parser.add_argument("--grow", action="store_true", help="promise what passed")
    return parser.parse_args(words)


@contextmanager
def daemon_address(session: Session, options: argparse.Namespace) -> Iterator[str]:
    """Give the address to test, of a daemon started for it unless one was named."""
    if options.endpoint:
        yield options.endpoint
        return
    places = (session.workspace, session.network, session.registry.rules)
    daemon: Lading | Containerd
    if options.runtime == "containerd":
        daemon = Containerd(*places)
    else:
        daemon = Lading(*places, default_handler=options.handler or "crun")
    before = take_snapshot(session.workspace, session.network)
    daemon.start()
    try:
        yield daemon.address
        report_leftovers(daemon)
    finally:
        daemon.stop()
        for line in wait_clean(before, session.workspace, session.network, ()):
            print(f"left after the suite: {line}")
        if options.daemon_log:
            options.daemon_log.write_bytes(daemon.log.read_bytes())


def report_leftovers(daemon: Lading | Containerd) -> None:
    """Say what the suite's own specs left, then remove it as a drained node would."""
    with connected(daemon.address) as client:
        pods = client.pods()
        if pods:
            print(f"the suite left {len(pods)} pods: {[pod.metadata.name for pod in pods]}")
        client.remove_everything()


def critest_command(address: str, folder: Path, options: argparse.Namespace) -> list[str]:
    """Return the command line, with the images file and report path in a folder."""
    images = folder / "images.yaml"
    # JSON is YAML.
    images.write_text(
        json.dumps({"defaultTestContainerImage": BUSYBOX, "webServerTestImage": NGINX})
    )
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1, 10**6)
    command = [
        str(built_tool(CRI_TOOLS, "critest")),
        f"--runtime-endpoint={address}",
        f"--test-images-file={images}",
        f"--ginkgo.json-report={folder / 'report.json'}",
        f"--ginkgo.seed={seed}",
        "--ginkgo.no-color",
        "--ginkgo.succinct",
        "--ginkgo.timeout=30m",
    ]
    command += [f"--ginkgo.focus={words}" for words in options.focus]
    command += [f"--ginkgo.skip={words}" for words in options.skip]
    if options.handler:
        command.append(f"--runtime-handler={options.handler}")
    if options.websocket:
        command += [f"-websocket-{stream}" for stream in STREAMS]
    return command


def run_critest(session: Session, address: str, options: argparse.Namespace) -> list[Spec]:
    """Run the suite with its output in a file, and return how each spec ended.

    Raises:
        RuntimeError: the suite wrote no report.
    """
    folder = session.workspace.folder("critest")
    command = critest_command(address, folder, options)
    print("running:", *command, flush=True)
    with (folder / "output.log").open("wb") as output:
        done = subprocess.run(command, stdout=output, stderr=output, cwd=folder, check=False)
    report = folder / "report.json"
    if not report.exists():
        end = (folder / "output.log").read_text(errors="replace")[-3000:]
        raise RuntimeError(f"critest ended with {done.returncode} and no report:\n{end}")
    if options.report:
        options.report.write_bytes(report.read_bytes())
    return read_report(report)


def promises_of(handler: str) -> Path:
    """Return the list of what must pass with a handler beside the common list."""
    return COMMON.with_name(f"critest_passing_{handler}.txt") if handler else COMMON


def verdict(specs: list[Spec], options: argparse.Namespace) -> int:
    """Print what happened and return the exit code."""
    print(summary(specs))
    own = promises_of(options.handler)
    if options.grow:
        others = read_expected(COMMON) if own != COMMON else set()
        print(f"{grow(own, specs, others)} specs added to {own.name}")
    if not options.check:
        return 0 if all(spec.state in ("passed", "skipped", "pending") for spec in specs) else 1
    broken = broken_promises(specs, read_expected(COMMON) | read_expected(own))
    for line in broken:
        print(f"PROMISED BUT NOT PASSED: {line}")
    return 1 if broken else 0


def main() -> int:
    """Run once; see the module docstring."""
    options = arguments()
    handler = options.handler or ("crun" if options.runtime == "lading" else "runc")
    with (
        private_session() as session,
        cgroups_for(handler),
        daemon_address(session, options) as address,
    ):
        specs = run_critest(session, address, options)
    return verdict(specs, options)


if __name__ == "__main__":
    sys.exit(main())
