"""Tests of the image package; the tree mirrors the package file by file."""
