"""The door to the Linux kernel: mounts, namespaces, processes, cgroups, files below a container's root.

One file per family of system calls. It decides nothing and remembers nothing; it never starts a program.
"""
