"""Tests of `lading image`, one file per verb."""
