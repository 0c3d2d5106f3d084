"""Protobuf to records and back: plain mapping, one file per kind of object.

Decides nothing and looks nothing up: what the kubelet sent arrives whole, what a record holds leaves whole. Raises
InvalidArgument for a request that cannot be expressed; protobuf goes no further down than here.
"""
