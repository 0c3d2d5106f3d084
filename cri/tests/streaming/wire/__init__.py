"""Tests of the streaming protocols, by bytes alone."""
