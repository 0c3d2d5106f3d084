"""What an image is: names, digests, manifests, configs and platforms as immutable values.

Pure: bytes and text in, values out; no I/O, no clock. Everything read from a registry is hostile until a function
of this package has accepted it.
"""
