"""Tests of the daemon's half of pulls."""
