"""Programs and services that run containers and networks: OCI runtimes, conmon, CNI plugins.

`driver` is the Protocol that every container driver implements; `program` is the only place in the daemon that
starts a program. Nothing here knows of pods' records, stores or CRI.
"""
