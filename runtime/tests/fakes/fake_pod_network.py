"""A pod network in memory: addresses by counting, any step can fail or hang, every call is written down.

It implements `runtime.drivers.pod_network.PodNetwork` and passes `e2e/contracts/pod_network_contract.py`, as CNI does.
"""

import asyncio
import json
from dataclasses import dataclass, field

from runtime.drivers.pod_network import Attachment, AttachResult, NetworkCondition
from runtime.errors import PodRuntimeError, Unavailable
from runtime.records.sandbox import PodAddresses


@dataclass(slots=True)
class NetworkHang:
    """A step that waits: `entered` is set when it was reached, `release` lets it go on."""

    entered: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)


class FakePodNetwork:
    """The fake; steps are `attach`, `detach` and `current_configuration`."""

    def __init__(self, *, prefix: str = "10.88.0.") -> None:
        self.calls: list[tuple[str, str]] = []
        """(method, sandbox id) in order."""
        self.attached: dict[str, Attachment] = {}
        """Who holds an address now, by sandbox id."""
        self.taken: dict[str, str] = {}
        """sandbox id -> address."""
        self.configuration = '{"cniVersion":"1.0.0","name":"fake","plugins":[{"type":"fake"}]}'
        self._condition = NetworkCondition(ready=True)
        self._prefix = prefix
        self.additional_ips: tuple[str, ...] = ()
        """Given to every pod beside its own."""
        self._failures: dict[str, list[PodRuntimeError]] = {}
        self._hangs: dict[str, NetworkHang] = {}

    # --- what tests tell it

    def fail(self, step: str, error: PodRuntimeError | None = None, *, times: int = 1) -> None:
        """Let the next `times` calls of `step` raise `error` and change nothing."""
        chosen = error or Unavailable(f"cni {step}", "was told to fail", reason="Injected")
        self._failures.setdefault(step, []).extend([chosen] * times)

    def hang(self, step: str) -> NetworkHang:
        """Let every call of `attach` or `detach` wait until `release` is set."""
        return self._hangs.setdefault(step, NetworkHang())

    def set_not_ready(self, message: str) -> None:
        """Take the network away; `condition` and `current_configuration` tell it."""
        self._condition = NetworkCondition(
            ready=False, reason="NetworkPluginNotReady", message=message
        )

    def set_ready(self) -> None:
        """Give the network back."""
        self._condition = NetworkCondition(ready=True)

    # --- PodNetwork

    def condition(self) -> NetworkCondition:
        """See PodNetwork."""
        return self._condition

    def current_configuration(self) -> str:
        """See PodNetwork."""
        self._fail_if_told("current_configuration")
        if not self._condition.ready:
            raise Unavailable("pod network", self._condition.message, reason="NetworkNotReady")
        return self.configuration

    async def attach(self, attachment: Attachment) -> AttachResult:
        """See PodNetwork."""
        await self._enter("attach", attachment)
        address = self.taken.get(attachment.sandbox_id) or self._free_address()
        self.taken[attachment.sandbox_id] = address
        self.attached[attachment.sandbox_id] = attachment
        result = json.dumps({"cniVersion": "1.0.0", "ips": [{"address": f"{address}/24"}]})
        return AttachResult(
            addresses=PodAddresses(ip=address, additional_ips=self.additional_ips), result=result
        )

    async def detach(self, attachment: Attachment) -> None:
        """See PodNetwork."""
        await self._enter("detach", attachment)
        self.attached.pop(attachment.sandbox_id, None)
        self.taken.pop(attachment.sandbox_id, None)

    async def watch(self) -> None:
        """See PodNetwork; nothing changes by itself here."""
        await asyncio.Event().wait()

    # --- inside

    def _free_address(self) -> str:
        used = set(self.taken.values())
        return next(address for n in range(2, 255) if (address := f"{self._prefix}{n}") not in used)

    def _fail_if_told(self, step: str) -> None:
        waiting = self._failures.get(step)
        if waiting:
            raise waiting.pop(0)

    async def _enter(self, step: str, attachment: Attachment) -> None:
        self.calls.append((step, attachment.sandbox_id))
        hang = self._hangs.get(step)
        if hang is not None:
            hang.entered.set()
            await hang.release.wait()
        self._fail_if_told(step)
