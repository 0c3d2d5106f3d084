"""The process that a pull runs in: it meets the network, the compressed bytes and the tar, and holds little power.

It downloads, checks, inflates and extracts into the staging directory it was given, and tells the daemon over one
socket. It never writes the database, never publishes a layer and never outlives its daemon. `messages` and
`daemon_side` are the daemon's half: they import nothing heavy.
"""
