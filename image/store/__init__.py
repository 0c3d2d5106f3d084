"""Images on disk: layers, manifests, configs, and the database that says which of them are complete.

Words: layer (one directory per chain id), staging (where unfinished layers grow), whiteout, index, use, claim.
Content is durable before the row that names it, so a crash leaves the old state or the new one. It never talks
to a registry and knows a container only as an id that uses an image.
"""
