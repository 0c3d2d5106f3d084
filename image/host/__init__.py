"""The image package's door to the kernel: files below an untrusted root, removal, durability, privileges.

Words: root (the directory that an image may fill), canonical path (relative to the root, through no link).
It acts on what it is told and keeps every act below the root. It never decides what an image means, never reads
a tar and never opens a network connection.
"""
