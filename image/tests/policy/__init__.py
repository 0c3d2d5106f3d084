"""Tests of image.policy."""
