"""Tests of image.model."""
