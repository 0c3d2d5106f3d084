"""The process that a pull runs in: it meets the network, the compressed bytes and the tar, and holds little power.

Everything here runs in a pull worker's process, and nothing of it in the daemon. It downloads, checks, inflates and
extracts into the staging directory it was given, and tells the daemon over one socket (`image.exchange`). It never
writes the database, never publishes a layer and never outlives its daemon.
"""
