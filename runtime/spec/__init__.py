"""The OCI runtime spec of a container, built as a fold of small pure functions.

`compose` starts from a platform's default spec and applies options in order; each option takes a spec and answers
a new one. Pure: no I/O; what must be read from a root filesystem or the host comes in as values.
"""
