"""Twins of runtime/host; nothing here needs root."""
