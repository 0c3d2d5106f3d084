"""Tests of the runtime package, file by file."""
