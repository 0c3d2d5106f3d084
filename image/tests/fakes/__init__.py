"""Fakes that behave like the real thing, checked by the same suites."""
