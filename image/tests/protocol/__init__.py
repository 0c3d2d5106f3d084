"""Tests of image.protocol."""
