"""CRI's RuntimeService: one file per call or group of alike calls, `service` puts them together.

Translates, calls `runtime.lifecycle`, translates back. Decides nothing about pods or containers, and keeps no state but
translated messages.
"""
