"""Tests of the pull worker and the daemon's talk with it."""
