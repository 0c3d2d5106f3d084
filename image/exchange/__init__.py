"""What the daemon and a pull worker say to each other, and how: used by both processes, `image.pulls` and `image.worker`.

Light, since the daemon imports it. Nothing here decides what becomes of what is said.
"""
