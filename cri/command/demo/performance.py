"""The order of the demo: preflight, registry, daemon, a pod's life, taking down, proof. Each step is timed and told."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import grpc

from cri.command.demo.daemon_process import DaemonFailed, running
from cri.command.demo.image import NAME, TAG, DemoImage, find_busybox, make_image
from cri.command.demo.pod import DemoPod
from cri.command.demo.registry import serving
from cri.command.demo.report import Outcome, Report, Step
from cri.command.demo.surroundings import Surroundings, leftovers, make_surroundings, take_down
from cri.config_reader import read_configuration

_SETTLE_SECONDS = 3.0


class PreflightFailed(Exception):
    """The machine lacks something the demo needs; the message says what to install."""


class _Performance:
    """Runs steps one after another and keeps what they told."""

    def __init__(self, report: Report) -> None:
        self.outcome = Outcome()
        self._report = report

    def step(self, name: str, action: Callable[[], str], *, since: float | None = None) -> None:
        """Run one step and report it; `since` is when it began, if that was before."""
        begin = time.monotonic() if since is None else since
        detail = action()
        step = Step(name=name, seconds=time.monotonic() - begin, detail=detail)
        self.outcome.steps.append(step)
        self._report.step(step)


def perform(*, handler: str, builtin_registry: bool, report: Report) -> Outcome:
    """Run the whole demo; never raises for a fault of the machine or the daemon, tells it in the outcome."""
    performance = _Performance(report)
    try:
        _perform(performance, handler=handler, builtin_registry=builtin_registry)
    except grpc.RpcError as error:
        # Every error of a call is a grpc.Call as well, which its type does not say.
        details = getattr(error, "details", None)
        performance.outcome.error = str(details() if callable(details) else error)
    except (PreflightFailed, DaemonFailed, OSError, RuntimeError, ValueError) as error:
        performance.outcome.error = str(error)
    report.end(performance.outcome)
    return performance.outcome


def _perform(performance: _Performance, *, handler: str, builtin_registry: bool) -> None:
    bin_dirs = _plugin_directories()
    image: list[DemoImage] = []
    performance.step("preflight", lambda: _preflight(bin_dirs, image))
    with tempfile.TemporaryDirectory(prefix="lading-demo-registry-") as registry_directory:
        begin = time.monotonic()
        with serving(image[0], Path(registry_directory), builtin=builtin_registry) as served:
            address, kind = served
            performance.step("registry", lambda: f"{kind} on {address}", since=begin)
            place = make_surroundings(address, bin_dirs, handler)
            try:
                _life(performance, place, f"{address}/{NAME}:{TAG}")
            finally:
                performance.outcome.leftovers = _settled_leftovers(place)
                take_down(place)
    if not performance.outcome.leftovers:
        performance.step(
            "proof", lambda: "no process, mount, network device, lease, cgroup or bundle is left"
        )


def _life(performance: _Performance, place: Surroundings, image: str) -> None:
    begin = time.monotonic()
    with running(place) as channel:
        pod = DemoPod(channel, place, image)
        performance.step("daemon ready", pod.describe, since=begin)
        performance.step("pull", pod.pull)
        try:
            performance.step("pod sandbox up", pod.run_sandbox)
            performance.step("container created", pod.create)
            performance.step("container started", pod.start)
            performance.step("log", pod.show_log)
            performance.step("exec", pod.exec)
            performance.step("resource use", pod.show_use)
        finally:
            performance.step("pod down", pod.down)
        performance.step("image removed", pod.remove_image)


def _settled_leftovers(place: Surroundings) -> tuple[str, ...]:
    """Look until nothing is left, since the kernel frees some things a moment after the last process has gone."""
    end = time.monotonic() + _SETTLE_SECONDS
    while (found := leftovers(place)) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def _plugin_directories() -> tuple[str, ...]:
    return read_configuration().settings.network.cni_bin_dirs


def _preflight(bin_dirs: tuple[str, ...], image: list[DemoImage]) -> str:
    busybox = find_busybox()
    if busybox is None:
        raise PreflightFailed(
            "no statically linked busybox to make an image from; apt install busybox-static"
        )
    for plugin in ("bridge", "host-local"):
        if not any(Path(directory, plugin).exists() for directory in bin_dirs):
            raise PreflightFailed(
                f"no CNI plugin {plugin} in {', '.join(bin_dirs)}; apt install containernetworking-plugins"
            )
    image.append(make_image(busybox.read_bytes()))
    return f"image made from {busybox}, two platforms in its manifest list"
