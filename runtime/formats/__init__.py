"""Text and JSON formats of the programs and kernel files below Lading, parsed and written.

Pure: bytes and text in, values out; malformed input raises and is never guessed at.
"""
