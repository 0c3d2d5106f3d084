"""Registries over the network: resolve a reference, fetch its config, stream its layers.

Words: endpoint (a mirror or the origin), origin (scheme, host and port), challenge, realm, token, attempt.
It is the only network door of `image`. It verifies size and digest of what it hands out, binds every secret to one
origin, and never writes to disk, unpacks or caches content.
"""
