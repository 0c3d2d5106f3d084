"""Tests of what daemon and pull worker say to each other."""
