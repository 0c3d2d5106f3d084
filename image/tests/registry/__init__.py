"""Tests of image.registry, against the in-process registry on the loopback interface."""
