"""The admin socket: what operators ask the daemon, as JSON over HTTP/1.1. One file per verb.

A *verb* answers one request out of the parts it is handed; a *reply* is one JSON object or a stream of JSON lines. It
starts no pull, removal or check of its own making: the same code answers the kubelet. Never imports gRPC.
"""
