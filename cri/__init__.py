"""The Container Runtime Interface of Lading: gRPC services, the daemon and the `lading` command.

Words: RuntimeService, ImageService, handler, admin socket, streaming server.
The only place where `runtime` and `image` meet, and the only one that knows protobuf. It decides nothing about
containers or images itself: it translates, calls, and translates back.
"""
