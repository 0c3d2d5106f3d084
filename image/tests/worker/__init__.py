"""Tests of what runs in the pull worker process."""
