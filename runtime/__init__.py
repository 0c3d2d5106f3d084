"""Pods and containers on this host, below the CRI and above the kernel.

Words: pod sandbox, container, handler, bundle, spec, monitor, driver, operation, journal, timeline.
It turns plain records into namespaces, OCI bundles and running processes, and keeps them known across crashes.
It never pulls an image and knows nothing of gRPC, protobuf or the `image` package.
"""
