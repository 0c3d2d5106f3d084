"""Tests of the streaming server."""
