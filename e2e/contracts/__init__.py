"""Suites that a fake (unit tests) and the real thing (e2e) both must pass."""
