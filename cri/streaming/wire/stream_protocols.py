"""Names of the streaming protocols, and what each name means.

Data alone. Over SPDY v5 means v4 and no Go server offers it, so it is not offered here either.
"""

from cri.streaming.wire.http_upgrade import Offer
from cri.streaming.wire.stream_channels import Dialect

V1, V2, V3, V4, V5 = (
    "channel.k8s.io",
    "v2.channel.k8s.io",
    "v3.channel.k8s.io",
    "v4.channel.k8s.io",
    "v5.channel.k8s.io",
)
BASE64, V4_BASE64 = "base64.channel.k8s.io", "v4.base64.channel.k8s.io"
NAMELESS = ""
PORT_FORWARD = "portforward.k8s.io"
TUNNEL = "SPDY/3.1+portforward.k8s.io"

COMMAND_OFFER = Offer(spdy=(V4, V3, V2, V1), websocket=(V5, V4, V4_BASE64, V1, BASE64, NAMELESS))
PORT_FORWARD_OFFER = Offer(
    spdy=(PORT_FORWARD,), websocket=(V4, V4_BASE64, NAMELESS), tunnel=(TUNNEL,)
)

DIALECTS = {
    NAMELESS: Dialect(),
    V1: Dialect(),
    BASE64: Dialect(base64=True),
    V4: Dialect(),
    V4_BASE64: Dialect(base64=True),
    V5: Dialect(closes=True),
}
"""By WebSocket protocol name."""

JSON_STATUS = frozenset({V4, V4_BASE64, V5})
"""Protocols whose error stream carries a JSON Status."""

RESIZING = frozenset({V3, V4})
"""SPDY protocols that have a resize stream with a terminal; WebSocket has its channel always."""
