"""Tests of the image package's door to the kernel."""
