"""Which channel of a WebSocket means what, for exec and attach and for the old form of port-forward.

Numbers are fixed by Kubernetes: 0 stdin, 1 stdout, 2 stderr, 3 error, 4 resize; port i has 2i for data and 2i+1 for its
error. Data alone.
"""

import struct
from collections.abc import Sequence

from cri.streaming.wire.stream_channels import ChannelUse

COMMAND_STREAMS = ("stdin", "stdout", "stderr", "error", "resize")
_INPUTS = frozenset({"stdin", "resize"})
_PORT = struct.Struct("<H")


def command_channels(wanted: frozenset[str]) -> tuple[ChannelUse, ...]:
    """Return the five channels of exec and attach; `wanted` names the streams that the request asked for."""
    # A client waits for the first message: an empty one on the lowest channel that we write to.
    outputs = [name for name in COMMAND_STREAMS if name in wanted and name not in _INPUTS]
    return tuple(
        ChannelUse(
            headers={"streamtype": name},
            readable=name in _INPUTS and name in wanted,
            greeting=b"" if name in outputs[:1] else None,
        )
        for name in COMMAND_STREAMS
    )


def forward_channels(ports: Sequence[int]) -> tuple[ChannelUse, ...]:
    """Return two channels for each port; the first message on each tells the port."""
    return tuple(
        ChannelUse(
            headers={"streamtype": kind, "port": str(port), "requestid": str(index)},
            readable=kind == "data",
            greeting=_PORT.pack(port),
        )
        for index, port in enumerate(ports)
        for kind in ("data", "error")
    )
