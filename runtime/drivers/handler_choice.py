"""Choose the default handler: crun where it works, else runc, with the reason in words.

crun creates and starts 1.3 to 1.8 times faster than runc and execs 3 times faster. A configured default is never
replaced: when it cannot be used, that is said, because another runtime than the one asked for is a surprise. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runtime.drivers.driver import DriverFeatures

PREFERENCE = ("crun", "runc")


@dataclass(frozen=True, kw_only=True, slots=True)
class HandlerChoice:
    """The default handler and why it is."""

    name: str
    """Empty when no handler can be used; then the runtime is not ready."""
    reason: str


def choose_default_handler(
    features: Mapping[str, DriverFeatures],
    *,
    configured: str = "",
    preference: Sequence[str] = PREFERENCE,
) -> HandlerChoice:
    """Return the default among probed handlers, by name."""
    if configured:
        return _configured(features, configured)
    ordered = [name for name in preference if name in features]
    ordered += [name for name in features if name not in ordered]
    refused = [f"{name}: {features[name].reason}" for name in ordered if not features[name].usable]
    for name in ordered:
        if features[name].usable:
            why = f"{name} is preferred" if not refused else f"not used: {'; '.join(refused)}"
            return HandlerChoice(name=name, reason=why)
    told = "; ".join(refused) or "no handler is configured"
    return HandlerChoice(name="", reason=f"no handler can be used: {told}")


def _configured(features: Mapping[str, DriverFeatures], name: str) -> HandlerChoice:
    found = features.get(name)
    if found is None:
        return HandlerChoice(name="", reason=f"the default handler {name} is not configured")
    if not found.usable:
        return HandlerChoice(
            name="", reason=f"the default handler {name} cannot be used: {found.reason}"
        )
    return HandlerChoice(name=name, reason=f"{name} is the configured default")
