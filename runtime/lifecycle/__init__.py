"""The life of pods and containers: one file per operation, each a list of named steps with their undo.

It orders what `host`, `drivers` and `store` do. Everything created is journaled first; stop and remove are
idempotent; a repeated request joins the one that runs.
"""
