"""Generated protobuf messages and gRPC stubs of CRI v1 (k8s.io/cri-api v0.37.2).

Written by generate.py, never by hand, and exempt from size limits. Only `cri.translate` and the service packages import
it; protobuf never reaches `runtime` or `image`.
"""
