"""The pod network made by CNI plugins (specification 0.3.0 to 1.1.0).

A configuration list is run plugin by plugin: ADD forwards with each result handed on, DEL backwards. Calls for one pod
follow each other, pods run in parallel. What ADD used is in the attachment, so that DEL is told the same even after the
configuration changed or the daemon restarted. The loopback interface is the host's work, host ports are portmap's.
"""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from runtime.drivers.cni_arguments import pod_arguments
from runtime.drivers.cni_conf_dir import FoundNetwork, find_network
from runtime.drivers.cni_failures import combined
from runtime.drivers.cni_plugin import PluginCall, PluginRunner
from runtime.drivers.pod_network import Attachment, AttachResult, NetworkCondition
from runtime.drivers.port_mapping import capability_arguments
from runtime.drivers.program import Programs
from runtime.drivers.program_times import ProgramTimes
from runtime.errors import Internal, PodRuntimeError, Unavailable
from runtime.formats.cni_config import (
    Json,
    NetworkConfiguration,
    PluginConfiguration,
    is_object,
    parse_configuration,
    plugin_input,
)
from runtime.formats.cni_result import CniResult, IpPreference, order_addresses, parse_result
from runtime.host.inotify import CONTENT_CHANGED, CREATE, DirectoryWatch
from runtime.records.sandbox import PodAddresses

DEFAULT_PLUGIN_SECONDS = 60.0
"""For one call of one plugin: plugins that wait for their agent give up themselves within 30 to 45 s."""
STATUS_SECONDS = 30.0
"""Between two STATUS rounds, and between looks for a configuration directory that does not exist yet."""

_READY = NetworkCondition(ready=True)
_UNDO_FAILED = "and undoing it failed"
_log = logging.getLogger(__name__)


class CniNetwork:
    """See the module docstring; implements `runtime.drivers.pod_network.PodNetwork`."""

    def __init__(
        self,
        programs: Programs,
        *,
        configuration_directory: Path,
        plugin_directories: Sequence[Path],
        plugin_timeout_seconds: float = DEFAULT_PLUGIN_SECONDS,
        ip_preference: IpPreference = "ipv4",
        environment: Mapping[str, str] | None = None,
        times: ProgramTimes | None = None,
    ) -> None:
        self._directory = configuration_directory
        self._ip_preference = ip_preference
        self._plugins = PluginRunner(
            programs,
            plugin_directories,
            timeout_seconds=plugin_timeout_seconds,
            environment=environment or {},
            times=times,
        )
        self._pods: dict[str, tuple[asyncio.Lock, int]] = {}
        self._status_problem = ""
        self._found = FoundNetwork(network=None)
        # A few small files, read once while the daemon is built: the first answer must not be "not ready".
        self._take(find_network(configuration_directory, plugin_directories))

    # --- what it is ready for

    def condition(self) -> NetworkCondition:
        """See PodNetwork."""
        problem, remedy = self._found.problem, self._found.remedy
        if not problem and self._status_problem:
            problem, remedy = self._status_problem, ""
        if not problem:
            return _READY
        text = f"{problem}; {remedy}" if remedy else problem
        return NetworkCondition(
            ready=False,
            reason="NetworkPluginNotReady",
            message=f"Network plugin returns error: {text}",
        )

    def current_configuration(self) -> str:
        """See PodNetwork."""
        if self._found.network is None:
            raise Unavailable(
                "pod network",
                self._found.problem,
                remedy=self._found.remedy,
                reason="NetworkPluginNotReady",
            )
        return self._found.network.text

    async def refresh(self) -> NetworkCondition:
        """Look at the configuration directory now, ask STATUS, and return the condition."""
        found = await asyncio.to_thread(find_network, self._directory, self._plugins.directories)
        self._take(found)
        await self._ask_status()
        return self.condition()

    async def watch(self) -> None:
        """See PodNetwork. Plugin directories are followed too: their files often come after the configuration."""
        with DirectoryWatch() as directories:
            while True:
                self._watch_what_exists(directories)
                await self.refresh()
                try:
                    async with asyncio.timeout(STATUS_SECONDS):  # then STATUS is due again
                        await directories.wait_changes()
                except TimeoutError:
                    continue

    # --- what it does

    async def attach(self, attachment: Attachment) -> AttachResult:
        """See PodNetwork."""
        network = _network_of(attachment)
        arguments = capability_arguments(attachment.config)
        self._tell_unserved(attachment, network, arguments)
        async with self._one_at_a_time(attachment.sandbox_id):
            result = await self._add_all(attachment, network, arguments)
        addresses = order_addresses(result.addresses, self._ip_preference)
        if not addresses:
            unusable = Internal(
                f"pod network of {attachment.sandbox_id[:12]}",
                f"network {network.name} gave the pod no address",
                remedy="correct the ipam section of the CNI configuration",
                reason="CniNoAddress",
            )
            raise await self._undone(attachment, result, unusable)
        return AttachResult(
            addresses=PodAddresses(ip=addresses[0], additional_ips=addresses[1:]),
            result=json.dumps(result.document, separators=(",", ":")),
        )

    async def detach(self, attachment: Attachment) -> None:
        """See PodNetwork. Every plugin is asked, also after one failed; all failures are told."""
        network = _network_of(attachment)
        previous = _previous_result(attachment)
        async with self._one_at_a_time(attachment.sandbox_id):
            await self._delete(attachment, network, network.plugins, previous)

    async def check(self, attachment: Attachment) -> None:
        """Ask the plugins whether the pod's network is as ADD made it (CHECK; nothing before 0.4.0).

        Raises:
            PodRuntimeError: a plugin found a difference, or failed.
        """
        network = _network_of(attachment)
        if network.disable_check or not network.at_least("0.4.0"):
            return
        previous = _previous_result(attachment)
        arguments = capability_arguments(attachment.config)
        async with self._one_at_a_time(attachment.sandbox_id):
            for plugin in network.plugins:
                stdin = plugin_input(
                    network, plugin, capability_arguments=arguments, previous_result=previous
                )
                await self._plugins.perform(_call(attachment, plugin, "CHECK", stdin))

    # --- inside: verbs

    async def _add_all(
        self, attachment: Attachment, network: NetworkConfiguration, arguments: dict[str, object]
    ) -> CniResult:
        result: CniResult | None = None
        for number, plugin in enumerate(network.plugins):
            previous = result.document if result else None
            stdin = plugin_input(
                network, plugin, capability_arguments=arguments, previous_result=previous
            )
            try:
                result = await self._plugins.add(_call(attachment, plugin, "ADD", stdin))
            except PodRuntimeError as error:
                tried = network.plugins[: number + 1]
                told = await self._after_failed_add(attachment, network, tried, previous, error)
                raise told from told.__cause__
        assert result is not None  # a list has at least one plugin
        return result

    async def _after_failed_add(
        self,
        attachment: Attachment,
        network: NetworkConfiguration,
        tried: tuple[PluginConfiguration, ...],
        previous: Json | None,
        error: PodRuntimeError,
    ) -> PodRuntimeError:
        # Also the failed plugin: it may have done half of its work.
        try:
            await self._delete(attachment, network, tried, previous)
        except PodRuntimeError as undo_error:
            return combined((error, undo_error), joint=_UNDO_FAILED)
        return error

    async def _undone(
        self, attachment: Attachment, result: CniResult, error: PodRuntimeError
    ) -> PodRuntimeError:
        told = replace(attachment, result=json.dumps(result.document))
        try:
            await self.detach(told)
        except PodRuntimeError as undo_error:
            return combined((error, undo_error), joint=_UNDO_FAILED)
        return error

    async def _delete(
        self,
        attachment: Attachment,
        network: NetworkConfiguration,
        plugins: tuple[PluginConfiguration, ...],
        previous: Json | None,
    ) -> None:
        arguments = capability_arguments(attachment.config)
        # Plugins got a prevResult at DEL from 0.4.0 on.
        told = previous if network.at_least("0.4.0") else None
        failures: list[PodRuntimeError] = []
        for plugin in reversed(plugins):
            stdin = plugin_input(
                network, plugin, capability_arguments=arguments, previous_result=told
            )
            try:
                await self._plugins.perform(_call(attachment, plugin, "DEL", stdin))
            except PodRuntimeError as error:
                failures.append(error)
        if failures:
            raise combined(failures, joint="and")

    async def _ask_status(self) -> None:
        network = self._found.network
        problem = ""
        if network is not None and network.at_least("1.1.0"):
            for plugin in network.plugins:
                stdin = plugin_input(network, plugin, capability_arguments={}, previous_result=None)
                call = PluginCall(plugin=plugin.type, verb="STATUS", stdin=stdin)
                try:
                    await self._plugins.perform(call)
                except PodRuntimeError as error:
                    problem = str(error)
                    break
        self._status_problem = problem

    # --- inside: bookkeeping

    def _take(self, found: FoundNetwork) -> None:
        if found != self._found:
            for ignored in found.ignored:
                _log.warning("ignored %s", ignored)
            if found.network is not None:
                _log.info("pod network is %s from %s", found.network.name, found.source)
            else:
                _log.warning("no pod network: %s", found.problem)
        self._found = found

    def _watch_what_exists(self, directories: DirectoryWatch) -> None:
        for directory in (self._directory, *self._plugins.directories):
            if not directories.is_watched(directory):
                directories.add(directory, CONTENT_CHANGED)
        if not directories.is_watched(self._directory):
            directories.add(self._directory.parent, CREATE | CONTENT_CHANGED)

    def _tell_unserved(
        self, attachment: Attachment, network: NetworkConfiguration, arguments: dict[str, object]
    ) -> None:
        for capability in ("portMappings", "bandwidth"):
            served = any(capability in plugin.capabilities for plugin in network.plugins)
            if capability in arguments and not served:
                _log.warning(
                    "pod %s asks for %s, but no plugin of network %s has that capability",
                    attachment.sandbox_id[:12],
                    capability,
                    network.name,
                )

    @asynccontextmanager
    async def _one_at_a_time(self, sandbox_id: str) -> AsyncIterator[None]:
        lock, waiting = self._pods.get(sandbox_id, (asyncio.Lock(), 0))
        self._pods[sandbox_id] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._pods.pop(sandbox_id)
            if waiting > 1:
                self._pods[sandbox_id] = (lock, waiting - 1)


def _network_of(attachment: Attachment) -> NetworkConfiguration:
    try:
        return parse_configuration(attachment.configuration)
    except ValueError as error:
        raise Internal(
            f"pod network of {attachment.sandbox_id[:12]}",
            f"its stored configuration is not usable: {error}",
            reason="CniBadConfiguration",
        ) from error


def _previous_result(attachment: Attachment) -> Json | None:
    if not attachment.result:
        return None
    try:
        document: object = json.loads(attachment.result)
        parse_result(attachment.result, "")
    except (ValueError, RecursionError):
        return None  # DEL must work without it, and a pod must not become undeletable by it
    return document if is_object(document) else None


def _call(
    attachment: Attachment, plugin: PluginConfiguration, verb: str, stdin: bytes
) -> PluginCall:
    netns = attachment.netns
    # The specification's way to say that the namespace is gone.
    gone = verb == "DEL" and not _is_namespace(netns)
    return PluginCall(
        plugin=plugin.type,
        verb=verb,
        stdin=stdin,
        container_id=attachment.sandbox_id,
        netns="" if gone else str(netns),
        arguments=pod_arguments(attachment.sandbox_id, attachment.config.metadata),
    )


def _is_namespace(pin: Path) -> bool:
    """Tell whether a pin still holds a namespace: without its mount it is a file like any other, and plugins refuse it."""
    try:
        return os.stat(pin).st_dev == os.stat("/proc/self/ns/net").st_dev
    except OSError:
        return False
