"""Pulls as the daemon has them: who waits for what, which worker serves it, and what all pulls share.

Everything here runs in the daemon, so nothing heavy is imported: HTTP, decompressors and tars are the workers'
(`image.worker`), which are known by their command line and by what they say (`image.exchange`).
"""
