"""Images on this node: names, registries, content and root filesystems.

Words: reference, digest, manifest, index (manifest list), config, layer, diff id, chain id, blob, store, worker.
It pulls images from registries, verifies every byte, keeps them, and hands out the layer directories of an image.
It never runs a container and knows nothing of pods, gRPC or the `runtime` package.
"""
