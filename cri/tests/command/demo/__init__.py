"""Tests of the demo, one file per module."""
