"""Seccomp filters: the one that RuntimeDefault means, and what a Localhost profile file says.

Words: action, rule, gate (a capability that opens a group of calls). Pure data and code: profile files are read by the
caller. No filter here is ever wider than its source says: what is not understood is refused.
"""
