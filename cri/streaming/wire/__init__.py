"""Protocol code of the streaming server, pure: bytes in, events and bytes out.

HTTP upgrade, SPDY/3.1, WebSocket and the channel protocols of Kubernetes over both. It never waits, opens, reads a clock
or logs, so every rule here is tested by bytes alone. What a peer sends is bounded before it is kept.
"""
