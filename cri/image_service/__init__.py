"""CRI's ImageService: one file per call, `service` puts them together.

Translates, calls the image store or puller, translates back. Never touches a registry or the store's files itself.
"""
