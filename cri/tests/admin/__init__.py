"""Tests of the admin socket, one file per verb."""
