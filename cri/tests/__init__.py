"""Tests of the CRI package, mirroring it file by file."""
