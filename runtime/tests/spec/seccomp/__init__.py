"""Tests of the package of the same name, one file per module."""
